package stages

import (
	"context"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/frames"
	"fmsr/pipeline"
)

// Batch joins frames of a split into batches.
//
//	frames (1,C,H,W)    -- v1 - v2 - v3 - t1 - t2 - t3 - t4 --
//	                    [               size 2                ]
//	batches (2,C,H,W)   ------- v1v2 ---- v3 ---- t1t2 --- t3t4
type Batch struct {
	Size int `yaml:"size" flag:"batch-size" doc:"frames in a batch"`
}

func init() {
	pipeline.Register(pipeline.Declaration{
		Name: "batch",
		Doc: `Joins frames of one split into batches.

	frames (1,C,H,W)    -- v1 - v2 - v3 - t1 - t2 - t3 - t4 --
	                    [               size 2                ]
	batches (2,C,H,W)   ------- v1v2 ---- v3 ---- t1t2 --- t3t4

A batch never mixes splits; the last of a split may be smaller.`,
		Link:   pipeline.Link{Needs: pipeline.Planar, Adds: pipeline.Batched},
		Config: func() any { return &Batch{Size: 4} },
		New:    func(config any) pipeline.Stage { return &batch{Batch: *config.(*Batch)} },
	})
}

// Validate reports an impossible size.
func (c *Batch) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if c.Size < 1 {
		report("size", "is %d: want at least 1", c.Size)
	}
}

type batch struct {
	Batch
	mem  memory.Allocator
	held []*frames.Frames
	n    int // frames held
}

// Open announces the batch size.
func (b *batch) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	b.mem = env.Mem
	in.Batch = b.Size
	return in, nil
}

// Process holds frames back until a batch is full or the split changes.
func (b *batch) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	f := in.(*frames.Frames)
	var out []pipeline.Element
	if b.n > 0 && b.held[0].Split() != f.Split() {
		out = append(out, b.join())
	}
	f.Retain()
	b.held = append(b.held, f)
	b.n += f.N()
	if b.n >= b.Size {
		out = append(out, b.join())
	}
	return out, nil
}

// Flush sends what is held.
func (b *batch) Flush(context.Context) ([]pipeline.Element, error) {
	if b.n == 0 {
		return nil, nil
	}
	return []pipeline.Element{b.join()}, nil
}

// join makes one element of those held; a single one is passed on as it is.
func (b *batch) join() *frames.Frames {
	held := b.held
	first := held[0]
	b.held, b.n = nil, 0
	if len(held) == 1 {
		return first
	}
	var origins []frames.Origin
	for _, f := range held {
		origins = append(origins, f.Origins...)
	}
	total := len(origins) * first.FrameLen()
	out := frames.New(first.Channels, first.H, first.W, origins, frames.NewBuffer(b.mem, total), nil)
	if first.Lo != nil {
		out.Lo = frames.NewBuffer(b.mem, total)
	}
	at := 0
	for _, f := range held {
		copy(frames.Floats(out.Hi)[at:], frames.Floats(f.Hi))
		if f.Lo != nil {
			copy(frames.Floats(out.Lo)[at:], frames.Floats(f.Lo))
		}
		at += f.N() * f.FrameLen()
		f.Release()
	}
	return out
}

// Close releases what an interrupted run left here.
func (b *batch) Close() error {
	for _, f := range b.held {
		f.Release()
	}
	b.held, b.n = nil, 0
	return nil
}
