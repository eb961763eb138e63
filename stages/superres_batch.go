package stages

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/rng"
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// heldFrame is a frame that waits to be drawn.
type heldFrame struct {
	origin frames.Origin
	grid   field.Grid     // of the fine frame
	xLo    *memory.Buffer // (C,H,W), normalized
}

// task is one sample to draw: that of a held frame.
type task struct{ frame, sample int }

// drawHeld draws all samples of the frames held back, in batches. The samples of a
// frame come one after the other, and the frames in their order.
func (r *superres) drawHeld(ctx context.Context) (out []pipeline.Element, err error) {
	defer r.letGo()
	if err := r.env.Profile.Step(ctx, recorder{r.thread}); err != nil {
		return nil, err
	}
	size, all := r.batchFor(r.held[0].grid), len(r.held)*r.Samples
	for at := 0; at < all; at += size {
		var tasks []task
		for i := at; i < min(at+size, all); i++ {
			tasks = append(tasks, task{i / r.Samples, i % r.Samples})
		}
		drawn, err := r.drawBatch(ctx, tasks)
		out = append(out, drawn...)
		if err != nil {
			return out, err
		}
	}
	for _, f := range r.held { // the network has seen it
		values := frames.Floats(f.xLo)
		r.loaded.Stats.PhysicalPlanes(values, values, f.grid.Cells())
		r.done++
		r.env.Progress.Piece(display.Work{Name: fmt.Sprintf("%s, frame %d", r.fileOf(f.origin), r.numbered(f.origin).Frame), Done: r.done, Total: r.total()})
	}
	return out, nil
}

// total returns how many frames this run draws, or, before that is known, how many there
// are.
func (r *superres) total() (n int) {
	for i, f := range r.files {
		if r.env.Wants == nil || r.env.Wants(frames.Part{Seed: i}) {
			n += f.F
		}
	}
	return n
}

// letGo releases the held frames.
func (r *superres) letGo() {
	for _, f := range r.held {
		f.xLo.Release()
	}
	r.held = r.held[:0]
}

// drawBatch draws samples in one batch.
func (r *superres) drawBatch(ctx context.Context, tasks []task) (out []pipeline.Element, err error) {
	n, first := len(tasks), r.held[tasks[0].frame]
	grid, each := first.grid, first.xLo.Len()
	xLo := first.xLo
	if n > 1 {
		xLo = frames.NewBuffer(r.mem, n*each/4)
		defer xLo.Release()
		for i, t := range tasks {
			copy(xLo.Bytes()[i*each:], r.held[t.frame].xLo.Bytes())
		}
	}
	fine := frames.NewBuffer(r.mem, n*each/4)
	defer fine.Release()
	x1, err := model.NewProjection(r.x1, r.loaded.Input, grid, r.loaded.Stats)
	if err != nil {
		return nil, err
	}
	base, err := model.NewGridBase(r.sampler.Flow, r.loaded.Input, grid, r.loaded.Stats)
	if err != nil {
		return nil, err
	}
	defer r.env.Progress.Part(display.Work{})
	g := model.Generator{
		Inference: r.net, Sampler: r.sampler, Stats: r.loaded.Stats, Tile: r.tile, Wraps: r.wraps(),
		OnX1: x1, OnGrid: base,
		Streams: func(k uint64) (streams []uint64) {
			for _, t := range tasks {
				streams = append(streams, r.stream(r.held[t.frame].origin, t.sample, k))
			}
			return streams
		},
	}
	see := r.watcher(g, tasks, each/4)
	g.Sampler.Watch = func(s *torchx.Scope, step int, t float64, x torchx.Tensor) {
		r.env.Progress.Part(display.Work{Name: fmt.Sprintf("sampling %s, frame %d", r.fileOf(first.origin), r.numbered(first.origin).Frame), Unit: "steps", Done: step, Total: r.sampler.Steps})
		see(s, t, x)
	}
	err = r.thread.Do(ctx, func(s *torchx.Scope) error {
		g.Draw(ctx, s, model.NetInput(s, r.net.Net, xLo.Bytes(), n, grid.H, grid.W), frames.Floats(fine))
		return s.Err()
	})
	if err != nil {
		return nil, frames.At(first.origin, fmt.Errorf("%s: %w", r.fileOf(first.origin), err))
	}
	for i, t := range tasks {
		f := r.held[t.frame]
		r.warnOfContradiction(f.origin, x1.Lacks(i))
		if err := grid.CheckFinite(r.loaded.Channels, frames.Floats(fine)[i*each/4:][:each/4]); err != nil {
			return out, frames.At(f.origin, fmt.Errorf("%s: the model gives %w", r.fileOf(f.origin), err))
		}
		origin := f.origin
		origin.Sample = t.sample
		f.xLo.Retain()
		out = append(out, frames.New(r.loaded.Channels, grid, []frames.Origin{origin}, frames.Slice(fine, i*each, each), f.xLo))
	}
	return out, nil
}

// watcher returns what sees x_t (N,C,H,W) of the samples, if the one that is watched is among
// them, of so many values.
func (r *superres) watcher(g model.Generator, tasks []task, values int) func(s *torchx.Scope, t float64, all torchx.Tensor) {
	for i, t := range tasks {
		origin := r.held[t.frame].origin
		origin.Sample = t.sample
		if !r.watch.Wants(origin) {
			continue
		}
		x := make([]float32, values)
		return func(s *torchx.Scope, t float64, all torchx.Tensor) {
			g.Read(s, s.Narrow(all, 0, int64(i), 1), x)
			if s.Err() == nil {
				r.watch.See(t, x)
			}
		}
	}
	return func(*torchx.Scope, float64, torchx.Tensor) {}
}

// warnOfContradiction warns, once for each file, of averages that no field has which
// satisfies the constraints.
func (r *superres) warnOfContradiction(o frames.Origin, lacks float64) {
	warning := model.Contradiction(lacks)
	if warning == "" || r.warned[o.Seed] {
		return
	}
	r.warned[o.Seed] = true
	r.env.Progress.Note("warning: %s, frame %d: %s", r.fileOf(o), r.numbered(o).Frame, warning)
}

// stream returns the random stream of a sample's k-th noise, whatever the batch.
func (r *superres) stream(o frames.Origin, sample int, k uint64) uint64 {
	frame := uint64(o.Frame)
	if r.Noise == "fixed" {
		frame = 0
	}
	stream := rng.Stream(r.env.Run.Seed, rng.SampleNoise, frame, k)
	if sample > 0 { // an ensemble's first sample is the one without an ensemble
		stream = rng.Stream(stream, uint64(sample))
	}
	return stream
}

// Bounds of a batch whose size is chosen, on a device.
const (
	mostSamples = 8
	mostBytes   = 16e9 // of working memory
)

// batchFor returns how many samples of a fine grid are drawn at once: the number
// that the user asks for. Without one, it is as many as fit on a GPU, which one small field
// leaves idle, and one on the CPU: two cores draw fields of 128 x 128 cells, by a network
// of 32 channels in float32, no faster in batches of 2 and more slowly in batches of
// 4 and 8. Only small fields gain, 32 x 32 cells 1.8 times in batches of 8. One by
// one, a sample does not depend on the batch either, to the last bit.
func (r *superres) batchFor(grid field.Grid) int {
	if r.Batch > 0 {
		return r.Batch
	}
	return chosenBatch(r.net.Net, r.tile, grid.H, grid.W)
}

func chosenBatch(net model.Net, tile, h, w int) int {
	c := net.Config()
	if c.Device == torchx.CPU {
		return 1
	}
	each := fieldsInSample * 4 * int64(c.Fields*h*w)
	if tile > 0 {
		h, w = min(h, tile), min(w, tile)
	}
	each += net.SampleBytes(h, w)
	return int(max(1, min(mostSamples, mostBytes/each)))
}

// fieldsInSample is how many copies of the fields a step holds besides the
// network's own: x, x_lo and both together, slopes, noise.
const fieldsInSample = 12
