package profile

import "strings"

// updates is the kind of every op of the optimizer and the average.
const updates = "optimizer, average"

// opKinds sorts ops by what their names contain. The first kind that fits is taken: libtorch's
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

// wholeNames are too short to be searched for within other names.
var wholeNames = map[string]bool{"to": true, "ema": true, "mm": true, "sin": true, "cos": true, "pad": true, "cat": true, "read": true, "write": true}

// kindOf returns the kind of an op, or "" for an op, such as a view, that belongs to
// its caller's kind.
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

// shortName removes the namespaces of aten::add, the engine's prefix of
// "evaluate_function: AddBackward0", and both of
// torch::autograd::CppNode<fx::(anonymous namespace)::NormSiLU>.
func shortName(name string) string {
	name = strings.TrimPrefix(name, "autograd::engine::evaluate_function: ")
	inner, ours := strings.CutPrefix(name, "torch::autograd::CppNode<")
	if ours {
		name = strings.TrimSuffix(inner, ">") + "Backward"
	}
	return name[strings.LastIndex(name, ":")+1:]
}
