package stages

import (
	"context"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/field/plan"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/pipeline"
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

A batch never mixes splits. The last batch of a split may be smaller. Several ranks
share each training batch: size is that of all together, and a multiple of their number.`,
		Link:    pipeline.Link{Needs: pipeline.Planar, Adds: pipeline.Batched},
		Default: Batch{Size: 4},
		New:     func(c *Batch) pipeline.Stage { return &batch{Batch: *c} },
	})
}

// BatchSize returns the number of frames in a batch.
func (c *Batch) BatchSize() int { return c.Size }

var (
	_ pipeline.Fuser   = (*batch)(nil)
	_ pipeline.Flusher = (*batch)(nil)
)

type batch struct {
	Batch
	own  int // training frames of a batch that this rank has
	mem  memory.Allocator
	plan *plan.Plan // preprocessing of the frames of a batch
	held []plan.Frame
}

// Open announces the batch size, which is that of all ranks together.
func (b *batch) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (_ pipeline.Meta, err error) {
	b.mem, b.plan = env.Mem, &plan.Plan{}
	in.Batch = b.Size
	b.own, err = env.SetBatch(b.Size)
	return in, err
}

// Fuse takes over the work of the preprocessing stages above.
func (b *batch) Fuse(above []pipeline.Stage) (n int) {
	b.plan, n = plan.Fold(above)
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
	if len(b.held) > 0 && b.held[0].Split() != f.Split() {
		if err := join(); err != nil {
			return out, err
		}
	}
	size := b.Size
	if f.Split() == frames.Train {
		size = b.own
	}
	for n := range f.N() {
		f.Retain()
		b.held = append(b.held, plan.Frame{Frames: f, Index: n})
		if len(b.held) == size {
			if err := join(); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// Flush sends the held frames as a smaller batch.
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

// join makes one element of the held frames.
func (b *batch) join() (*frames.Frames, error) {
	defer b.drop()
	return b.plan.Join(b.mem, b.held)
}

// drop releases the held frames.
func (b *batch) drop() {
	for _, f := range b.held {
		f.Release()
	}
	b.held = b.held[:0]
}

// Close releases the frames that an interrupted run still holds.
func (b *batch) Close() error {
	b.drop()
	return nil
}
