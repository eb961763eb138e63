package torchx

// #include "csrc/fx.h"
import "C"

import "fmt"

// Graph runs the same work many times. On CUDA with fmsr's library it records the
// work as a CUDA graph, once for each shape of the inputs, and replays the graph,
// so that the host need not queue every kernel. Elsewhere it just runs the work.
//
// The work must get everything that changes from call to call through its inputs,
// must run the same ops whatever the inputs' values, and must not wait for the
// device. A Graph belongs to one thread and is closed on that thread.
type Graph struct {
	recorder recorder
	shapes   map[string]*recording
	notice   func(string) // called once, if recording fails
	failed   bool
}

// recorder records work. Tests have one that needs no device.
type recorder interface {
	able() bool
	record(s *Scope, work func()) (replay func() error, free func(), err error)
}

// recording is the work for one shape of inputs.
type recording struct {
	calls   int // including those before it was recorded
	inputs  []Tensor
	outputs []Tensor
	replay  func() error // nil until the work is recorded
	free    func()
}

// warmUp is the number of calls before the work is recorded. During these calls
// libtorch chooses its convolutions and allocates its buffers.
const warmUp = 3

// mostShapes is the number of shapes that are recorded, since each recording keeps memory of its
// own. Work for further shapes runs op by op.
const mostShapes = 4

// NewGraph returns a Graph for work on that device. If recording fails, it calls
// notice with a line that says why, and runs the work op by op from then on.
func NewGraph(device Device, notice func(string)) *Graph {
	return &Graph{recorder: deviceRecorder(device), shapes: map[string]*recording{}, notice: notice}
}

// Run returns the outputs of the work for these inputs, tensors of any shapes. s
// owns the outputs. The next Run may overwrite their values.
func (g *Graph) Run(s *Scope, inputs []Tensor, work func(s *Scope, inputs []Tensor) []Tensor) []Tensor {
	if g.failed || !g.recorder.able() || s.over() {
		return work(s, inputs)
	}
	key := ""
	for _, x := range inputs {
		key += fmt.Sprint(x.Dtype(), x.Shape())
	}
	r := g.shapes[key]
	if r == nil {
		if len(g.shapes) == mostShapes {
			return work(s, inputs)
		}
		r = &recording{}
		g.shapes[key] = r
	}
	if r.calls++; r.calls <= warmUp {
		return work(s, inputs)
	}
	if r.replay == nil {
		if err := g.begin(s, r, inputs, work); err != nil {
			if s.over() { // which the recording's scope has noticed too
				return nil
			}
			g.failed = true
			g.Close() // for their memory
			g.notice(fmt.Sprintf("the step is not recorded as a CUDA graph, and runs op by op: %v", err))
			return work(s, inputs)
		}
	}
	for i, x := range inputs {
		s.Copy(r.inputs[i], x)
	}
	if err := r.replay(); err != nil {
		s.Fail(fmt.Errorf("CUDA graph: %w", err))
	}
	outputs := make([]Tensor, len(r.outputs))
	for i, x := range r.outputs {
		outputs[i] = s.Alias(x)
	}
	return outputs
}

// begin records the work in a scope of its own, since recorded work does not run
// and an error in it is not an error of the caller's scope.
func (g *Graph) begin(s *Scope, r *recording, inputs []Tensor, work func(s *Scope, inputs []Tensor) []Tensor) error {
	in := &Scope{ctx: s.ctx} // without the stop flag, which would be recorded
	defer in.Close()
	for _, x := range inputs {
		r.inputs = append(r.inputs, in.Keep(in.Clone(x)))
	}
	if in.err != nil {
		return in.err
	}
	var err error
	r.replay, r.free, err = g.recorder.record(in, func() {
		for _, x := range work(in, r.inputs) {
			r.outputs = append(r.outputs, in.Keep(x))
		}
	})
	if err == nil {
		err = in.err
	}
	if err != nil {
		r.close()
	}
	return err
}

func (r *recording) close() {
	for _, x := range append(r.inputs, r.outputs...) {
		Free(x)
	}
	if r.free != nil {
		r.free()
	}
	*r = recording{calls: r.calls}
}

// Close frees all recordings.
func (g *Graph) Close() {
	for _, r := range g.shapes {
		r.close()
	}
}

// deviceRecorder records CUDA graphs.
type deviceRecorder Device

func (d deviceRecorder) able() bool { return Device(d) != CPU && bool(C.fx_has_cuda_kernels()) }

func (d deviceRecorder) record(s *Scope, work func()) (replay func() error, free func(), err error) {
	var graph C.fx_graph
	if err := check(C.fx_graph_begin(Device(d).index(), &graph)); err != nil {
		return nil, nil, err
	}
	work()
	free = func() { _ = check(C.fx_graph_free(graph)) }
	if err := check(C.fx_graph_end(graph)); err != nil {
		return nil, free, err
	}
	return func() error { return check(C.fx_graph_replay(graph)) }, free, nil
}
