package stages

import (
	"context"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/frames"
	"fmsr/internal/parallel"
	"fmsr/internal/prep"
	"fmsr/pipeline"
)

// Batch joins frames of a split into batches.
//
//	frames (1,C,H,W)    -- v1 - v2 - v3 - t1 - t2 - t3 - t4 --
//	                    [               size 2                ]
//	batches (2,C,H,W)   ------- v1v2 ---- v3 ---- t1t2 --- t3t4
type Batch struct {
	Size int `yaml:"size" min:"1" flag:"batch-size" doc:"frames in a batch"`
}

func init() {
	pipeline.Register(pipeline.Declaration[Batch]{
		Name: "batch",
		Doc: `Joins frames of one split into batches.

	frames (1,C,H,W)    -- v1 - v2 - v3 - t1 - t2 - t3 - t4 --
	                    [               size 2                ]
	batches (2,C,H,W)   ------- v1v2 ---- v3 ---- t1t2 --- t3t4

A batch never mixes splits; the last of a split may be smaller.`,
		Link:    pipeline.Link{Needs: pipeline.Planar, Adds: pipeline.Batched},
		Default: Batch{Size: 4},
		New:     func(c *Batch) pipeline.Stage { return &batch{Batch: *c} },
	})
}

var (
	_ pipeline.Fuser   = (*batch)(nil)
	_ pipeline.Flusher = (*batch)(nil)
)

type batch struct {
	Batch
	mem  memory.Allocator
	plan *prep.Plan // what is done to the frames on their way into a batch
	held []held
}

// held is a frame that waits for its batch: the n-th of f.
type held struct {
	f *frames.Frames
	n int
}

// Open announces the batch size.
func (b *batch) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	b.mem, b.plan = env.Mem, &prep.Plan{}
	in.Batch = b.Size
	return in, nil
}

// Fuse takes over the preprocessing above.
func (b *batch) Fuse(above []pipeline.Stage) (n int) {
	b.plan, n = prep.Fold(above)
	return n
}

// Process holds frames back until a batch is full or the split changes.
func (b *batch) Process(_ context.Context, in pipeline.Element) (out []pipeline.Element, err error) {
	f := in.(*frames.Frames)
	join := func() error {
		whole, err := b.join()
		if err == nil {
			out = append(out, whole)
		}
		return err
	}
	if len(b.held) > 0 && b.held[0].f.Split() != f.Split() {
		if err := join(); err != nil {
			return out, err
		}
	}
	for n := range f.N() {
		f.Retain()
		b.held = append(b.held, held{f, n})
		if len(b.held) == b.Size {
			if err := join(); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// Flush sends what is held.
func (b *batch) Flush(context.Context) ([]pipeline.Element, error) {
	if len(b.held) == 0 {
		return nil, nil
	}
	whole, err := b.join()
	if err != nil {
		return nil, err
	}
	return []pipeline.Element{whole}, nil
}

// join makes one element of those held, the frames in parallel.
func (b *batch) join() (*frames.Frames, error) {
	defer b.drop()
	first := b.held[0].f
	var origins []frames.Origin
	for _, h := range b.held {
		origins = append(origins, h.f.Origins[h.n])
	}
	channels := b.plan.Names(first.Channels)
	size := len(channels) * first.H * first.W
	out := frames.New(channels, first.H, first.W, origins, frames.NewBuffer(b.mem, len(origins)*size), nil)
	if b.plan.Pairs(first) {
		out.Lo = frames.NewBuffer(b.mem, len(origins)*size)
	}
	err := parallel.Each(len(b.held), func(i int) error {
		var lo []float32
		if out.Lo != nil {
			lo = frames.Floats(out.Lo)[i*size:][:size]
		}
		if err := b.plan.Pair(b.held[i].f, b.held[i].n, frames.Floats(out.Hi)[i*size:][:size], lo); err != nil {
			return frames.At(origins[i], err)
		}
		return nil
	})
	if err != nil {
		out.Release()
		return nil, err
	}
	return out, nil
}

// drop releases what is held.
func (b *batch) drop() {
	for _, h := range b.held {
		h.f.Release()
	}
	b.held = b.held[:0]
}

// Close releases what an interrupted run left here.
func (b *batch) Close() error {
	b.drop()
	return nil
}
