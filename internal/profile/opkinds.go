package profile

import "strings"

// updates is the kind of all that the optimizer and the average do.
const updates = "optimizer, average"

// opKinds sort ops by what their names contain, the first that fits: libtorch's
// own ("mkldnn_convolution"), nodes of a backward pass ("ConvolutionBackward0")
// and torchx's ("norm_silu").
var opKinds = []struct {
	kind  string
	names []string
}{
	{updates, []string{"adamw", "clip_grad", "_foreach", "zero_grad", "optimizer", "ema"}},
	{"random numbers", []string{"randn", "normal_"}},
	{"convolution", []string{"conv"}},
	{"norm, FiLM, SiLU", []string{"norm", "silu"}},
	{"attention", []string{"attention", "softmax"}},
	{"matrix product", []string{"linear", "addmm", "matmul", "mm"}},
	{"pool, upsample, pad", []string{"pool", "upsample", "pad"}},
	{"concatenate, slice", []string{"cat", "narrow", "slice", "split", "chunk"}},
	{"copy, cast", []string{"copy", "clone", "contiguous", "to", "tocopy", "from_blob", "read", "write"}},
	{"arithmetic", []string{"add", "sub", "mul", "div", "affine", "sum", "mean", "mse", "pow", "cos", "sin", "fill", "zero", "full", "stack", "item"}},
	{"autograd", []string{"backward", "accumulategrad", "watch"}},
	{"between operations", []string{"forward"}},
}

// wholeNames are too short to be looked for inside of others.
var wholeNames = map[string]bool{"to": true, "ema": true, "mm": true, "sin": true, "cos": true, "pad": true, "cat": true, "read": true, "write": true}

// kindOf is "" for an op that tells nothing by itself, a view, say: it belongs to
// what it serves.
func kindOf(name string) string {
	name = strings.ToLower(name)
	base := strings.TrimSuffix(strings.TrimRight(name, "0123456789"), "backward")
	for _, k := range opKinds {
		for _, part := range k.names {
			if base == part || (!wholeNames[part] && strings.Contains(name, part)) {
				return k.kind
			}
		}
	}
	return ""
}

// shortName leaves out where a name is from: aten::add, the engine's evaluate_function:
// AddBackward0, and torch::autograd::CppNode<fx::(anonymous namespace)::NormSiLU>.
func shortName(name string) string {
	name = strings.TrimPrefix(name, "autograd::engine::evaluate_function: ")
	inner, ours := strings.CutPrefix(name, "torch::autograd::CppNode<")
	if ours {
		name = strings.TrimSuffix(inner, ">") + "Backward"
	}
	return name[strings.LastIndex(name, ":")+1:]
}
