package model

import (
	"fmt"

	"fmsr.example/fmsr/internal/torchx"
)

// The loss in parts: by field, and by time, in ranges of equal length.
//
//	compared (N,C,H,W) --mean over cells--> (N,C) --mean over samples----------> by field (C)
//	                                          '-----by range of the sample's t-> by time, and shares of the samples
//
// The parts are summed up on the device, in the step's tensor of the loss, so that they
// are averaged over ranks and read together with it.

// timeRanges is the number of ranges of t in [0,1].
const timeRanges = 10

// LossPart is a part of the loss since the last line of the learning curve.
type LossPart struct {
	Name  string  // in logs, behind train/: loss/Bx, loss_t/0.0-0.1
	Value float64 // NaN if no time was drawn in the range
}

// LossParts returns, with Hyper.LossFields, the mean loss of each field and of each range of
// t, over the steps since the last line that were not skipped. The mean over the fields,
// by their weights, is the loss, and so is that over the ranges, by the number of samples.
func (t *Trainer) LossParts() (parts []LossPart) {
	w, fields := &t.Window, len(t.Hyper.LossFields)
	if fields == 0 {
		return nil
	}
	sums := w.Parts
	if sums == nil {
		sums = make([]float64, t.partCount())
	}
	for c, name := range t.Hyper.LossFields {
		parts = append(parts, LossPart{"loss/" + name, sums[c] / float64(w.Taken-w.Skipped)})
	}
	for i := range t.ranges() {
		name := fmt.Sprintf("loss_t/%.1f-%.1f", float64(i)/timeRanges, float64(i+1)/timeRanges)
		parts = append(parts, LossPart{name, sums[fields+i] / sums[fields+timeRanges+i]})
	}
	return parts
}

// ranges returns the number of ranges of t. Only flow matching draws times.
func (h Hyper) ranges() int {
	if h.Objective != FlowMatching {
		return 0
	}
	return timeRanges
}

// partCount returns how many numbers a step's parts are: the losses of fields and of ranges,
// and the ranges' shares of the samples.
func (h Hyper) partCount() int {
	if len(h.LossFields) == 0 {
		return 0
	}
	return len(h.LossFields) + 2*h.ranges()
}

// places returns for these rows of batch i of the next step which range each sample's t is
// in, (N,timeRanges) of 0 and 1; a nil tensor where no one asks.
func (t *Trainer) places(s *torchx.Scope, rows int64, i int) torchx.Tensor {
	if t.partCount() == 0 || t.ranges() == 0 {
		return torchx.Tensor{}
	}
	in := make([]float32, rows*timeRanges)
	for n, at := range t.drawTimes(rows, i) {
		in[n*timeRanges+min(timeRanges-1, int(float64(at)*timeRanges))] = 1
	}
	return torchx.Upload(s, in, torchx.Float32, t.Net.Config().Device, torchx.NCHW, rows, timeRanges)
}

// parts returns the parts of a batch's loss, (partCount), from what it compares and its
// samples' ranges of t.
func (h Hyper) parts(s *torchx.Scope, c Config, made []torchx.Tensor, truth, places torchx.Tensor) torchx.Tensor {
	detached := make([]torchx.Tensor, len(made))
	for i, x := range made {
		detached[i] = s.Detach(x)
	}
	each := h.score(s, c, nil, detached, truth, 2, 3) // (N,C)
	byField := s.Mean(each, 0)
	if h.ranges() == 0 {
		return byField
	}
	if h.Weights != nil {
		each = s.Mul(each, weightTensor(s, c, h.Weights, 1, int64(len(h.Weights))))
	}
	byTime := s.Mean(s.Mul(places, s.Reshape(s.Mean(each, 1), -1, 1)), 0)
	return s.Cat(0, byField, byTime, s.Mean(places, 0))
}
