package model

import (
	"context"
	"fmt"
	"math"

	"fmsr.example/fmsr/internal/rng"
	"fmsr.example/fmsr/internal/torchx"
)

// Hyper are the settings of the optimization. The train stage's keys have their
// defaults and meanings.
type Hyper struct {
	Flow
	LR, WeightDecay float64
	WarmupSteps     int
	Schedule        string // of lr after the warm-up: constant (or empty), cosine or linear, to 0 after TotalSteps
	TotalSteps      int    // used by the last two only
	GradClip        float64
	TMin, TMax      float64
	BF16            bool
	Stratified      bool // each sample of a batch of n has its time in its own n-th part of [TMin,TMax)
	Seed            uint64
	Members         int       // of CRPS: x0 of each sample, at least 2
	Weights         []float64 // of the fields in the loss, with a mean of 1; nil: all are 1
	LossFields      []string  // names of the fields, to keep the loss by field and by time too; nil: not kept
}

// LRAt returns the learning rate of step n = 1, 2, ...: linear from 0 to LR over the
// warm-up, then by the schedule. The first step after the warm-up has LR, and the step
// after the last would have 0.
func (h Hyper) LRAt(n int) float64 {
	if n < h.WarmupSteps {
		return h.LR * float64(n) / float64(h.WarmupSteps)
	}
	done := float64(max(0, n-1-h.WarmupSteps)) / float64(max(1, h.TotalSteps-h.WarmupSteps))
	switch h.Schedule {
	case "cosine":
		return h.LR * (1 + math.Cos(math.Pi*done)) / 2
	case "linear":
		return h.LR * (1 - done)
	default:
		return h.LR
	}
}

// Ends returns the step at which lr has fallen to 0, or 0 if it stays constant.
func (h Hyper) Ends() int {
	if h.Schedule == "cosine" || h.Schedule == "linear" {
		return h.TotalSteps
	}
	return 0
}

// Averaging is the exponential moving average of the weights.
type Averaging struct {
	Decay float64
	Ramp  bool // for short runs: the decay at step n is min(Decay, (1+n)/(10+n))
}

// DecayAt returns the decay at step n = 1, 2, ...
func (a Averaging) DecayAt(n int) float64 {
	if !a.Ramp {
		return a.Decay
	}
	return min(a.Decay, float64(1+n)/float64(10+n))
}

// Trainer holds a network in training: its weights, their moving average and
// the optimizer's moments, on one torch thread, which all its methods use.
type Trainer struct {
	Hyper
	Position
	Net, EMA Net
	Last     Result // of the newest step
	Best     Best   // the best evaluation; no Figure: none
	Skips    Skips
	Window   Window     // since the last line of the learning curve
	OnGrid   *GridBase  // the base on the training's grid; nil: standard normal noise
	Teacher  *Inference // of FlowMap: the network that it is distilled from

	// Late makes a step return before the device has done it: a step's result is read when the
	// step after it is queued, or by Settle, so that a GPU never waits for the host. Last,
	// Skips and Window are then a step late. Steps are as they would be otherwise, since
	// the device itself skips a bad one.
	Late bool

	accumulated int // batches of the next step

	thread  *torchx.Thread
	adamw   torchx.AdamW
	m, v    []torchx.Tensor
	losses  torchx.Tensor // of the step being accumulated: the loss and its parts, float64
	loss    torchx.Tensor // the first of them
	report  torchx.Tensor // of the last update
	pending []*pending    // the newest steps, whose results have not been read
	lost    error         // of a result that could not be read: the weights may mean nothing
	results []Outcome     // that Outcomes has not returned
	average *Averaging    // the last argument of UpdateEMA: Update averages in the same pass
	graph   *torchx.Graph // the whole step; not with ranks
	ranks   *ranks        // nil: the trainer trains alone
	applied [2]*Inference // Net and EMA
	notice  func(string)
}

// Position is how far a training has come: its newest step, and what has been
// done about that step. A checkpoint holds it.
type Position struct {
	Step     int  // steps taken
	Averaged bool // the average includes the newest step, or leaves it out for good since it was skipped
	Passed   bool // every stage below the trainer has seen the newest step
}

// StepPassed records that the newest step's token has come back, so that the next line
// of the learning curve begins after this one's.
func (t *Trainer) StepPassed(token *Step) {
	t.Passed = true
	if token.Logged() {
		t.Window = Window{}
	}
}

// NewTrainer makes a freshly initialized network. The trainer owns the thread.
func NewTrainer(ctx context.Context, thread *torchx.Thread, c Config, h Hyper) (*Trainer, error) {
	t := &Trainer{Hyper: h, Position: Position{Passed: true}, thread: thread, adamw: torchx.AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: h.WeightDecay}}
	t.graph = torchx.NewGraph(c.Device, func(line string) { t.notice(line) })
	t.notice = func(string) {}
	err := t.Do(ctx, func(s *torchx.Scope) (err error) {
		t.losses, t.report = s.Keep(s.Full(0, torchx.Float64, c.Device, int64(1+h.partCount()))), s.Keep(s.NewReport(c.Device, 0))
		t.loss = s.Keep(s.Narrow(t.losses, 0, 0, 1))
		if t.Net, err = NewNet(s, c, h.Seed); err != nil {
			return err
		}
		if t.EMA, err = NewNet(s, c, h.Seed); err != nil {
			return err
		}
		t.applied = [2]*Inference{NewInference(t.Net, h.BF16), NewInference(t.EMA, h.BF16)}
		c = t.Net.Config()
		for _, p := range t.Net.Params() {
			s.RequiresGrad(p.Tensor, true)
			zeros := func() torchx.Tensor {
				return s.Keep(s.Within(func(s *torchx.Scope) torchx.Tensor {
					z := s.Full(0, c.DType, c.Device, p.Shape...)
					return s.To(z, c.DType, c.Device, c.Format)
				}))
			}
			t.m, t.v = append(t.m, zeros()), append(t.v, zeros())
		}
		return nil
	})
	if err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// Do runs f on the trainer's thread, in its own scope.
func (t *Trainer) Do(ctx context.Context, f func(s *torchx.Scope) error) error {
	return t.thread.Do(ctx, f)
}

// Notices sets the function that receives notices about the training, a line each.
func (t *Trainer) Notices(to func(string)) { t.notice = to }

// Close frees the weights and ends the thread.
func (t *Trainer) Close() {
	_ = t.Do(context.Background(), func(*torchx.Scope) error {
		for _, p := range t.pending {
			p.free()
		}
		t.graph.Close()
		t.ranks.close()
		if t.Teacher != nil {
			t.Teacher.Close()
			t.Teacher.Net.Free()
		}
		for i, net := range []Net{t.Net, t.EMA} {
			if t.applied[i] != nil {
				t.applied[i].Close()
			}
			if net != nil {
				net.Free()
			}
		}
		return nil
	})
	for _, x := range append(append(t.m, t.v...), t.losses, t.loss, t.report) {
		torchx.Free(x)
	}
	t.thread.Close()
}

// Result is the outcome of a training step.
type Result struct {
	Loss     float64 // scaled
	GradNorm float64 // before clipping
	LR       float64
}

// Skipped reports whether the step left the weights unchanged because its loss or
// its gradient was not finite.
func (r Result) Skipped() bool { return !finite(r.Loss) || !finite(r.GradNorm) }

// Outcome is the result of step N.
type Outcome struct {
	N int
	Result
	InARow int // steps up to this one that were skipped without one between them that was not
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// TrainStep takes one step on normalized x_lo and x1 (N,C,H,W). s must be a scope of
// the trainer's thread. Noise and times are a function of (Seed, step) alone. With
// ranks, the batch is this rank's rows of the step's batch. It returns Last: with Late, the
// result of the step before.
func (t *Trainer) TrainStep(s *torchx.Scope, xLo, x1 torchx.Tensor) (Result, error) {
	places := t.places(s, x1.Shape()[0], 0)
	xLo, x1, x0, times := t.given(s, xLo, x1, 0)
	inputs := []torchx.Tensor{xLo, x1, x0, times, t.schedule(s)}
	if !torchx.IsNil(places) {
		inputs = append(inputs, places)
	}
	step := func(s *torchx.Scope, in []torchx.Tensor) []torchx.Tensor {
		var places torchx.Tensor
		if len(in) > 5 {
			places = in[5]
		}
		t.accumulate(s, in[0], in[1], in[2], in[3], places, true, 1)
		t.update(s, in[4])
		return nil
	}
	if t.ranks != nil {
		step(s, inputs)
	} else {
		t.graph.Run(s, inputs, step)
	}
	return t.taken(s)
}

// Accumulate runs batch i of the next step forward and backward: x_lo and x1
// (N,C,H,W), of parts batches. Update then takes the step, on the mean of the losses.
// A trainer may take a share of the batches: the step is the whole batch's if the
// gradients and losses of all shares are summed before Update. With ranks, each batch is
// this rank's rows of it, and the last batch averages the sums of gradients and losses
// over the ranks.
func (t *Trainer) Accumulate(s *torchx.Scope, xLo, x1 torchx.Tensor, i, parts int) {
	places := t.places(s, x1.Shape()[0], i)
	xLo, x1, x0, times := t.given(s, xLo, x1, i)
	t.accumulate(s, xLo, x1, x0, times, places, t.accumulated == 0, parts)
	t.accumulated++
}

// given returns what accumulate takes, for batch i of the next step: x_lo, x1, x0 and times or,
// for a flow map, what its teacher makes of x_lo and x0.
func (t *Trainer) given(s *torchx.Scope, xLo, x1 torchx.Tensor, i int) (_, _, x0, times torchx.Tensor) {
	noise, times := t.draws(s, x1, i)
	x0 = t.SampleBase(s, t.OnGrid.Mean(s, t.Net.Config(), xLo), noise)
	if t.Objective == FlowMap {
		return t.taught(s, xLo, x0)
	}
	return xLo, x1, x0, times
}

// draws returns the noise (N M,C,H,W) and the times (N M) of batch i of the next step, M =
// 1 but for the members of CRPS. With ranks they are this rank's rows of those that one rank
// draws for the whole batch.
func (t *Trainer) draws(s *torchx.Scope, x1 torchx.Tensor, i int) (noise, times torchx.Tensor) {
	shape, c := x1.Shape(), t.Net.Config()
	rows, fields, each := shape[0], shape[1], t.each()
	from, batch := t.ranks.rows(rows)
	noise = s.Within(func(s *torchx.Scope) torchx.Tensor {
		shape[0], shape[1] = batch, each*fields
		whole := s.RandnOn(c.Device, t.stream(rng.BaseNoise, i), shape...)
		own := s.Reshape(s.Narrow(whole, 0, from, rows), rows*each, fields, shape[2], shape[3])
		return t.OnGrid.Noise(s, c, own)
	})
	ts := make([]float32, rows*each)
	if t.Objective == FlowMatching {
		ts = t.drawTimes(rows, i)
	}
	return noise, torchx.Upload(s, ts, torchx.Float32, c.Device, torchx.NCHW, rows*each)
}

// stream returns the stream of what batch i of the next step draws for a purpose.
func (t *Trainer) stream(purpose uint64, i int) uint64 {
	n := uint64(t.Step + 1)
	if i == 0 {
		return rng.Stream(t.Seed, purpose, n)
	}
	return rng.Stream(t.Seed, purpose, n, uint64(i))
}

// drawTimes returns the times of these rows of batch i of the next step.
func (t *Trainer) drawTimes(rows int64, i int) []float32 {
	from, batch := t.ranks.rows(rows)
	return t.times(t.stream(rng.Time, i), int(batch))[from : from+rows]
}

// accumulate is Accumulate for given x0 (N,C,H,W), times (N) and places of these. The first
// batch of a step clears the gradients of the step before. The last batch's backward pass sends the
// gradients to the other ranks.
func (t *Trainer) accumulate(s *torchx.Scope, xLo, x1, x0, times, places torchx.Tensor, first bool, parts int) {
	c, n := t.Net.Config(), int64(t.partCount())
	if first {
		s.ZeroGrads(Tensors(t.Net))
		s.Copy(t.losses, s.Full(0, torchx.Float64, c.Device, 1+n))
	}
	var loss torchx.Tensor
	s.Part("forward", func() {
		s.Autocast(c.Device, t.BF16, func() {
			made, truth := t.compared(s, t.Net, xLo, x1, x0, times)
			loss = t.score(s, c, t.Weights, made, truth)
			if n > 0 {
				s.AddInPlace(s.Narrow(t.losses, 0, 1, n), t.parts(s, c, made, truth, places), 1/float64(parts))
			}
		})
	})
	if parts > 1 {
		loss = s.Affine(loss, 1/float64(parts), 0)
	}
	last := t.ranks != nil && t.accumulated == parts-1
	if last {
		s.Reduce(t.ranks.reducer)
	}
	s.Backward(loss)
	s.AddInPlace(t.loss, s.Detach(loss), 1)
	if last {
		t.ranks.average(s, t.losses)
	}
}

// Update takes the step that was accumulated: clip, AdamW, and the average if
// UpdateEMA was called before. If the loss or the gradient is not finite, no weight
// changes: the step is counted and skipped.
func (t *Trainer) Update(s *torchx.Scope) (Result, error) {
	t.update(s, t.schedule(s))
	return t.taken(s)
}

func (t *Trainer) schedule(s *torchx.Scope) torchx.Tensor {
	n, decay := t.Step+1, 1.0
	if t.average != nil {
		decay = t.average.DecayAt(n)
	}
	return s.UpdateSchedule(t.Net.Config().Device, t.LRAt(n), decay)
}

func (t *Trainer) update(s *torchx.Scope, schedule torchx.Tensor) {
	var ema []torchx.Tensor
	if t.average != nil {
		ema = Tensors(t.EMA)
	}
	s.Part("optimizer", func() { s.Update(t.adamw, t.GradClip, Tensors(t.Net), t.m, t.v, ema, t.loss, schedule, t.report) })
}

// pending is a step that the device may not have done yet, with what will tell its result.
type pending struct {
	n              int
	lr             float64
	report, losses *torchx.Download
}

func (p *pending) free() {
	p.report.Free()
	p.losses.Free()
}

// taken counts the step just queued and reads its result, or that of the step before if
// results are read late. Once the weights have changed, the step counts, even if the run
// was stopped meanwhile.
func (t *Trainer) taken(s *torchx.Scope) (Result, error) {
	t.accumulated = 0
	now := &pending{n: t.Step + 1, lr: t.LRAt(t.Step + 1)}
	s.Regardless(func() { now.report, now.losses = s.Download(t.report), s.Download(t.losses) })
	if err := s.Err(); err != nil {
		now.free()
		return Result{}, fmt.Errorf("training step %d: %w", now.n, err)
	}
	t.Position = Position{Step: now.n, Averaged: t.average != nil}
	t.pending = append(t.pending, now)
	late := 0
	if t.Late && t.average != nil { // else UpdateEMA has to know whether the step was skipped
		late = 1
	}
	for len(t.pending) > late {
		if err := t.read(s); err != nil {
			return Result{}, err
		}
	}
	return t.Last, nil
}

// read waits for the result of the oldest pending step and counts it. On a GPU, ranks whose
// context ends stop waiting, since another rank may be gone.
func (t *Trainer) read(s *torchx.Scope) error {
	p := t.pending[0]
	report, losses := make([]float64, torchx.ReportLen), make([]float64, 1+t.partCount())
	wait := func() {
		torchx.End(s, p.report, report)
		torchx.End(s, p.losses, losses)
	}
	if t.ranks != nil && t.Net.Config().Device != torchx.CPU {
		wait()
		if s.Ended() {
			t.ranks.group.Abort()
			return s.Err()
		}
		s.Fail(t.ranks.group.Check())
	} else {
		s.Regardless(wait)
	}
	t.pending = t.pending[1:]
	p.free()
	if err := s.Err(); err != nil {
		t.lost = fmt.Errorf("training step %d: %w", p.n, err)
		return t.lost
	}
	of := torchx.ReportOf(report)
	t.Last = Result{Loss: of.Loss, GradNorm: of.GradNorm, LR: p.lr}
	t.Averaged = t.Averaged || t.Last.Skipped()
	t.count(t.Last, losses[1:])
	t.results = append(t.results, Outcome{p.n, t.Last, t.Skips.InARow})
	return nil
}

// Settle waits for the results of all steps. It returns an error, now and later, if one could not be
// read, because the device failed or another rank was gone: then nobody knows what the
// weights are, and no snapshot is made.
func (t *Trainer) Settle(ctx context.Context) error {
	for t.lost == nil && len(t.pending) > 0 {
		if err := t.Do(ctx, t.read); err != nil {
			return err
		}
	}
	return t.lost
}

// Outcomes returns the results of the steps that have become known since the last call, in
// the order of steps.
func (t *Trainer) Outcomes() []Outcome {
	all := t.results
	t.results = nil
	return all
}

// count counts a step, and the parts of its loss.
func (t *Trainer) count(r Result, parts []float64) {
	t.Window.add(r, parts, t.GradClip)
	t.Skips.InARow++
	if !r.Skipped() {
		t.Skips.InARow = 0
		return
	}
	t.Skips.Total++
}

// times returns t ~ U(TMin, TMax) for each sample of a batch. Stratified times are
// uniform too, each by itself, and spread over the batch.
func (h Hyper) times(stream uint64, batch int) []float32 {
	ts := make([]float32, batch)
	for i := range ts {
		u := rng.Uniform(stream, uint64(i))
		if h.Stratified {
			u = (float64(i) + u) / float64(batch)
		}
		ts[i] = float32(h.TMin + (h.TMax-h.TMin)*u)
	}
	return ts
}

// UpdateEMA moves the average towards the weights of the newest step, unless the
// average includes that step already. From then on Update moves the average in
// the same pass over the weights as the optimizer.
func (t *Trainer) UpdateEMA(ctx context.Context, a Averaging) error {
	first := t.average == nil
	t.average = &a
	if t.Averaged && !first {
		return nil
	}
	err := t.Do(ctx, func(s *torchx.Scope) error {
		if first {
			t.graph.Close() // a recorded step does not average
		}
		if t.Averaged {
			return nil
		}
		s.EMAUpdate(Tensors(t.EMA), Tensors(t.Net), a.DecayAt(t.Step))
		return nil
	})
	t.Averaged = err == nil
	return err
}

// Inference applies the network with the weights of the last step or with their
// average, in bf16 if training is. It lives as long as the trainer.
func (t *Trainer) Inference(average bool) *Inference {
	if average {
		return t.applied[1]
	}
	return t.applied[0]
}
