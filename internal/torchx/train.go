package torchx

// #include "csrc/fx.h"
import "C"

// RequiresGrad switches on or off whether autograd tracks t, a leaf.
func (s *Scope) RequiresGrad(t Tensor, on bool) {
	s.do("requires_grad", func() C.fx_error { return C.fx_set_requires_grad(handle(t), C.bool(on)) })
}

// Watch is x, through which a backward pass goes only until the scope's context
// ends: put at intervals, it bounds how long that takes to be noticed.
func (s *Scope) Watch(x Tensor) Tensor {
	if s.stop == nil {
		return x
	}
	return s.one("watch", func(out *C.fx_tensor) C.fx_error { return C.fx_watch(handle(x), s.stop, out) })
}

// Backward adds the gradients of loss to its leaves.
func (s *Scope) Backward(loss Tensor) {
	s.do("backward", func() C.fx_error { return C.fx_backward(handle(loss)) })
}

// Grad is the gradient of the leaf t.
func (s *Scope) Grad(t Tensor) Tensor {
	return s.one("grad", func(out *C.fx_tensor) C.fx_error { return C.fx_grad(handle(t), out) })
}

// ZeroGrads drops the gradients of params.
func (s *Scope) ZeroGrads(params []Tensor) {
	s.do("zero_grad", func() C.fx_error {
		p, n := handles(params)
		return C.fx_zero_grads(p, n)
	})
}

// AdamW are the constants of the optimizer of Loshchilov & Hutter 2019,
// arXiv:1711.05101: decoupled weight decay.
type AdamW struct {
	Beta1, Beta2, Eps, WeightDecay float64
}

// Report is what an Update leaves, as a float64 tensor of these four where the
// parameters are: nothing waits for the device until it is read.
type Report struct {
	Loss, GradNorm float64 // of the step; the norm before clipping
	Taken          int     // updates made, the next one's bias correction
	InARow         int     // updates not made, since the last one that was
}

// NewReport is the tensor of a report that so many updates have gone before.
func (s *Scope) NewReport(device Device, taken int) Tensor {
	t := s.Full(0, Float64, CPU, 4)
	Write(s, t, []float64{0, 0, float64(taken), 0})
	return s.To(t, Float64, device, NCHW)
}

// ReadReport waits for the device.
func (s *Scope) ReadReport(report Tensor) Report {
	v := make([]float64, 4)
	Read(s, report, v)
	return Report{Loss: v[0], GradNorm: v[1], Taken: int(v[2]), InARow: int(v[3])}
}

// UpdateSchedule is what changes from step to step in an Update, as a tensor.
func (s *Scope) UpdateSchedule(device Device, lr, emaDecay float64) Tensor {
	t := s.Full(0, Float64, CPU, 2)
	Write(s, t, []float64{lr, 1 - emaDecay})
	return s.To(t, Float64, device, NCHW)
}

// Update clips the gradients of params to a global norm of maxNorm (Pascanu et al.
// 2013, arXiv:1211.5063), takes an AdamW step with the moments m and v, and moves the average ema (nil: there is
// none) towards the new params, in place and for float32 in one pass. loss is a float64
// tensor of one element; where it or the gradients' norm is not finite nothing is
// changed but the report. The gradients are then to be dropped: they may be clipped, or not.
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

// EMAUpdate is ema = decay ema + (1-decay) params, in place.
func (s *Scope) EMAUpdate(ema, params []Tensor, decay float64) {
	s.do("ema", func() C.fx_error {
		e, n := handles(ema)
		p, _ := handles(params)
		return C.fx_ema(e, p, n, C.double(decay))
	})
}
