// Package stagetest tests a stage in a run of its own:
//
//	Input.Frames -> the stages under test -> the frames that come out
//
// It runs the stages as fmsr does, each on a goroutine, and then once more in a run that ends
// after the first frame. Besides what the run itself checks, it fails the test if a frame is
// not released as often as it is retained, if a stage changes its input, which it only borrows,
// or if a goroutine is left.
package stagetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/pipeline"
)

// Input is what the stages under test get.
type Input struct {
	Frames []*pipeline.Frames     // at least one; planar unless Traits say otherwise
	Traits pipeline.Traits        // of the frames; 0: Planar, and Paired if they have an x_lo
	Run    func(r *pipeline.Run)  // changes the run section; nil: leaves it as it is, without overfit
	Meta   func(m *pipeline.Meta) // changes what the source announces; nil: leaves it as the frames are
}

// Frame returns a planar frame (1,C,H,W) of the values that value gives at field c, row y and
// column x.
func Frame(o pipeline.Origin, channels []string, grid pipeline.Grid, value func(c, y, x int) float32) *pipeline.Frames {
	f := pipeline.NewFrames(channels, grid, []pipeline.Origin{o}, pipeline.NewBuffer(memory.DefaultAllocator, len(channels)*grid.Cells()), nil)
	for i := range f.XHi() {
		f.XHi()[i] = value(i/grid.Cells(), i/grid.W%grid.H, i%grid.W)
	}
	return f
}

// Run sends the input through the stages, and returns copies of the frames that come out. The
// error is that of the run. Whatever else is wrong fails the test.
func Run(t testing.TB, in Input, stages ...pipeline.Part) ([]*pipeline.Frames, error) {
	t.Helper()
	var out []*pipeline.Frames
	err := run(t, in, stages, func(e pipeline.Element) error {
		if f, ok := e.(*pipeline.Frames); ok {
			out = append(out, clone(memory.DefaultAllocator, f))
		}
		return nil
	})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	enough := errors.New("enough")
	if err := run(t, in, stages, func(pipeline.Element) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a run that was stopped after its first frame ended with: %v", err)
	}
	return out, nil
}

// run is one run. It fails the test for what is left behind.
func run(t testing.TB, in Input, stages []pipeline.Part, receive func(pipeline.Element) error) error {
	t.Helper()
	before := goleak.IgnoreCurrent()
	pool := frames.NewPool()
	defer pool.Close()
	mem := memory.NewCheckedAllocator(pool)
	s := &source{in: in}
	edit := func(r *pipeline.Run) {
		r.Overfit, r.Dir = false, t.TempDir()
		if in.Run != nil {
			in.Run(r)
		}
	}
	spec, err := pipeline.Compose(edit, append([]pipeline.Part{pipeline.Given(in.traits(), s)}, stages...)...)
	if err != nil {
		return err
	}
	err = pipeline.Execute(context.Background(), spec, pipeline.Options{Cache: t.TempDir(), Mem: mem, Receive: receive})
	for i, f := range s.sent {
		check(t, f, in.Frames[i])
	}
	mem.AssertSize(t, 0)
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	return err
}

// check fails the test if a frame that was sent is no longer what it was, and releases it.
func check(t testing.TB, sent, was *pipeline.Frames) {
	t.Helper()
	switch {
	case sent.Hi.Len() == 0: // freed
		t.Errorf("%s: the stage has released its input, which it only borrows", was.Origin())
		return
	case !slices.Equal(sent.Hi.Bytes(), was.Hi.Bytes()) || sent.Lo != nil && !slices.Equal(sent.Lo.Bytes(), was.Lo.Bytes()):
		t.Errorf("%s: the stage has changed its input, which it only borrows", was.Origin())
	}
	sent.Release()
}

func (in Input) traits() pipeline.Traits {
	switch {
	case in.Traits != 0:
		return in.Traits
	case len(in.Frames) > 0 && in.Frames[0].Lo != nil:
		return pipeline.Planar | pipeline.Paired
	default:
		return pipeline.Planar
	}
}

// source sends copies of the frames, and holds them until the run is over.
type source struct {
	in   Input
	env  *pipeline.Env
	sent []*pipeline.Frames
}

// Open announces the frames.
func (s *source) Open(_ context.Context, env *pipeline.Env, _ pipeline.Meta) (m pipeline.Meta, err error) {
	if len(s.in.Frames) == 0 {
		return m, errors.New("stagetest: Input.Frames is empty")
	}
	first, identity := s.in.Frames[0], sha256.New()
	m.Channels, m.Grid, m.Coarse = first.Channels, first.Grid, first.Coarse != nil
	if first.Lo != nil {
		m.Factor = 2
	}
	for _, f := range s.in.Frames {
		identity.Write(f.Hi.Bytes())
		for _, o := range f.Origins {
			at := slices.IndexFunc(m.Seeds, func(s pipeline.Seed) bool { return s.Seed == o.Seed && s.Split == o.Split })
			if at < 0 {
				at = len(m.Seeds)
				m.Announce(pipeline.Seed{Seed: o.Seed, Split: o.Split})
			}
			m.Seeds[at].Frames++
			m.Frames[o.Split]++
		}
	}
	m.Identity = hex.EncodeToString(identity.Sum(nil))
	if s.in.Meta != nil {
		s.in.Meta(&m)
	}
	s.env = env
	return m, nil
}

// Emit sends the frames once.
func (s *source) Emit(_ context.Context, _ pipeline.Pass, send func(pipeline.Element) error) error {
	for i, f := range s.in.Frames {
		f = clone(s.env.Mem, f)
		if i < len(s.sent) { // another pass has sent it
			if err := send(f); err != nil {
				return err
			}
			continue
		}
		f.Retain()
		s.sent = append(s.sent, f)
		if err := send(f); err != nil {
			return err
		}
	}
	return nil
}

// Close has nothing to free.
func (s *source) Close() error { return nil }

// clone returns a copy of frames.
func clone(mem memory.Allocator, f *pipeline.Frames) *pipeline.Frames {
	of := func(b *memory.Buffer) *memory.Buffer {
		if b == nil {
			return nil
		}
		c := pipeline.NewBuffer(mem, b.Len()/4)
		copy(c.Bytes(), b.Bytes())
		return c
	}
	c := pipeline.NewFrames(f.Channels, f.Grid, f.Origins, of(f.Hi), of(f.Lo))
	c.Coarse = of(f.Coarse)
	return c
}
