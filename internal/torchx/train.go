package torchx

// #include "csrc/fx.h"
import "C"

// RequiresGrad sets whether autograd tracks the leaf t, of any shape.
func (s *Scope) RequiresGrad(t Tensor, on bool) {
	s.do("requires_grad", func() C.fx_error { return C.fx_set_requires_grad(handle(t), C.bool(on)) })
}

// Watch returns x, of any shape. Once the scope's context has ended, a backward
// pass that reaches x fails. Watched tensors at intervals in a network bound the
// time until a backward pass notices.
func (s *Scope) Watch(x Tensor) Tensor {
	if s.stop == nil {
		return x
	}
	return s.one("watch", func(out *C.fx_tensor) C.fx_error { return C.fx_watch(handle(x), s.stop, out) })
}

// Backward computes the gradients of loss, a scalar, and adds them to the leaves'
// gradients.
func (s *Scope) Backward(loss Tensor) {
	s.do("backward", func() C.fx_error { return C.fx_backward(handle(loss)) })
}

// Grad returns the gradient of the leaf t, of t's shape. A leaf without a gradient is
// an error.
func (s *Scope) Grad(t Tensor) Tensor {
	return s.one("grad", func(out *C.fx_tensor) C.fx_error { return C.fx_grad(handle(t), out) })
}

// ZeroGrads drops the gradients of params, which then take no memory.
func (s *Scope) ZeroGrads(params []Tensor) {
	s.do("zero_grad", func() C.fx_error {
		p, n := handles(params)
		return C.fx_zero_grads(p, n)
	})
}

// AdamW holds the constants of Adam with decoupled weight decay, Loshchilov &
// Hutter 2019, arXiv:1711.05101.
type AdamW struct {
	Beta1, Beta2, Eps, WeightDecay float64
}

// Report is the result of an Update. On the device it is a float64 tensor of these
// four numbers, so that nothing waits for the device until ReadReport.
type Report struct {
	Loss, GradNorm float64 // of the step; the norm before clipping
	Taken          int     // updates made, for the next one's bias correction
	InARow         int     // updates skipped since the last one that was made
}

// ReportLen is the number of elements of a report.
const ReportLen = 4

// ReportOf returns the report with these values, of a tensor that has been read.
func ReportOf(v []float64) Report {
	return Report{Loss: v[0], GradNorm: v[1], Taken: int(v[2]), InARow: int(v[3])}
}

// NewReport returns a report (4), float64, as it is after that many updates.
func (s *Scope) NewReport(device Device, taken int) Tensor {
	return Upload(s, []float64{0, 0, float64(taken), 0}, Float64, device, NCHW, ReportLen)
}

// ReadReport waits for the device and returns the values of a report (4).
func (s *Scope) ReadReport(report Tensor) Report {
	v := make([]float64, ReportLen)
	Read(s, report, v)
	return ReportOf(v)
}

// UpdateSchedule returns the numbers of an Update that change from step to step,
// (2), float64: the learning rate and the average's weight of the new parameters.
func (s *Scope) UpdateSchedule(device Device, lr, emaDecay float64) Tensor {
	return Upload(s, []float64{lr, 1 - emaDecay}, Float64, device, NCHW, 2)
}

// Update clips the gradients of params to a global norm of maxNorm (Pascanu et al.
// 2013, arXiv:1211.5063), takes an AdamW step with the moments m and v, and moves
// the average ema towards the new params, all in place, and for float32 in one
// pass. m, v and ema are lists like params, with the same shapes; ema may be nil.
// loss is a float64 tensor of one element, schedule comes from UpdateSchedule,
// report from NewReport. If the loss or the gradients' norm is not finite, only the
// report changes. The caller then drops the gradients, which may be clipped or not.
func (s *Scope) Update(a AdamW, maxNorm float64, params, m, v, ema []Tensor, loss, schedule, report Tensor) {
	s.do("update", func() C.fx_error {
		p, n := handles(params)
		mp, _ := handles(m)
		vp, _ := handles(v)
		ep, _ := handles(ema)
		return C.fx_update(p, mp, vp, ep, n, C.double(maxNorm), C.double(a.Beta1), C.double(a.Beta2), C.double(a.Eps),
			C.double(a.WeightDecay), handle(loss), handle(schedule), handle(report))
	})
}

// EMAUpdate sets ema = decay ema + (1-decay) params, for lists of the same shapes.
func (s *Scope) EMAUpdate(ema, params []Tensor, decay float64) {
	s.do("ema", func() C.fx_error {
		e, n := handles(ema)
		p, _ := handles(params)
		return C.fx_ema(e, p, n, C.double(decay))
	})
}
