package stages

import (
	"context"
	"time"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

var (
	_ pipeline.Rehearser  = (*superres)(nil)
	_ pipeline.Forecaster = (*superres)(nil)
)

// rehearsedSampling is how many steps of the sampler a dry run takes of one sample, at most.
const rehearsedSampling = 2

// Rehearse draws one sample of a frame, with few steps, and measures how long the network takes.
func (r *superres) Rehearse(ctx context.Context, in pipeline.Element) (bool, error) {
	f := in.(*frames.Frames)
	whole, samples := r.sampler, r.Samples
	defer func() { r.sampler, r.Samples = whole, samples }()
	r.sampler.Steps, r.Samples = min(whole.Steps, rehearsedSampling), 1
	f.Boundary = r.loaded.Config.Boundary
	next := heldFrame{origin: f.Origins[0], grid: f.Finer(r.loaded.Input.Factor)}
	var err error
	if next.xLo, err = r.condition(f); err != nil {
		return true, err
	}
	r.held = append(r.held, next)
	defer r.letGo()
	began := time.Now()
	out, err := r.drawBatch(ctx, []task{{0, 0}})
	for _, e := range out {
		e.Release()
	}
	took := time.Since(began)
	r.frameTime = took * time.Duration(samples*whole.Evaluations()) / time.Duration(r.sampler.Evaluations())
	return true, err
}

// Forecast says what the sampling takes.
func (r *superres) Forecast(f *pipeline.Forecast) {
	config := r.loaded.Plan.Config()
	f.Say("network", "%s, %d parameters, of step %d of %s", config.Network, model.Count(r.loaded.Plan), r.loaded.Step, r.Checkpoint)
	f.Say("sampling", "%s of each frame, by %s of the network", words.Count(r.Samples, "sample"), words.Count(r.sampler.Evaluations(), "evaluation"))
	largest := 0.0
	for _, file := range r.files {
		grid := file.Grid.Finer(r.loaded.Input.Factor)
		d := drawing{net: r.loaded.Plan, grid: grid, fields: len(r.loaded.Channels), samples: r.Samples, batch: max(1, r.Batch), coloured: r.loaded.Flow.Measured != nil}
		largest = max(largest, d.need(r.tile))
	}
	if r.net != nil && r.net.Net.Config().Device == torchx.CPU {
		f.Memory(largest, "sampling the largest file's frames")
	}
	if r.frameTime > 0 && len(r.files) > 0 {
		f.Time(r.frameTime*time.Duration(r.share()), "%s of about %.3g s, as the first file's", words.Count(r.share(), "frame"), r.frameTime.Seconds())
	}
}

// share returns how many frames this run draws of its files.
func (r *superres) share() (n int) {
	for i, file := range r.files {
		if r.env.Shard.Has(i) {
			n += file.F
		}
	}
	return n
}
