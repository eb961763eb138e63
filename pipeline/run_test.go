package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The test stages: a source of numbered frames, a pass-through that can be told
// to misbehave, a store, a fitter and a sink that makes steps of frames.

type fakeSource struct {
	Count int `yaml:"count" flag:"fake-count" doc:"frames"`
	env   *Env
}

func (s *fakeSource) Open(_ context.Context, env *Env, _ Meta) (Meta, error) {
	s.env = env
	if s.Count < 0 {
		return Meta{}, errors.New("count is negative")
	}
	return Meta{Channels: []string{"a"}, Grid: field.Grid{H: 1, W: 1}, Frames: map[frames.Split]int{frames.Train: s.Count}, Identity: "id"}, nil
}

func (s *fakeSource) Emit(ctx context.Context, how Pass, send func(Element) error) error {
	for i := 0; i < s.Count || how == Endless; i++ {
		b := frames.NewBuffer(s.env.Mem, 1)
		frames.Floats(b)[0] = float32(i)
		if err := send(frames.New([]string{"a"}, field.Grid{H: 1, W: 1}, []frames.Origin{{Seed: 1, Frame: i}}, b, nil)); err != nil {
			return err
		}
	}
	return nil
}

func (s *fakeSource) Close() error { return nil }

type fakeFlow struct {
	FailAt   int  `yaml:"fail_at" doc:"frame at which it fails; 0: never"`
	PanicAt  int  `yaml:"panic_at" doc:"frame at which it panics"`
	Hold     bool `yaml:"hold" doc:"hold everything back until the end"`
	OpenFail bool `yaml:"open_fail" doc:"fail to open"`
	LetGo    bool `yaml:"let_go" doc:"releases what it only borrows"`

	held []Element
	seen *atomic.Int64
}

func (f *fakeFlow) Open(_ context.Context, _ *Env, in Meta) (Meta, error) {
	if f.OpenFail {
		return in, errors.New("cannot open")
	}
	return in, nil
}

func (f *fakeFlow) Process(_ context.Context, in Element) ([]Element, error) {
	if f.seen != nil {
		f.seen.Add(1)
	}
	n := in.(*frames.Frames).Origins[0].Frame
	if f.FailAt > 0 && n == f.FailAt {
		return nil, errors.New("bad frame")
	}
	if f.PanicAt > 0 && n == f.PanicAt {
		panic("out of my depth")
	}
	if f.LetGo {
		in.Release()
		return nil, nil
	}
	in.Retain()
	if f.Hold {
		f.held = append(f.held, in)
		return nil, nil
	}
	return []Element{in}, nil
}

func (f *fakeFlow) Flush(context.Context) ([]Element, error) {
	held := f.held
	f.held = nil
	return held, nil
}

func (f *fakeFlow) Close() error {
	for _, e := range f.held {
		e.Release()
	}
	return nil
}

// fakeStore keeps frames in memory and writes its key to a file.
type fakeStore struct {
	Dir    string `yaml:"dir" doc:"where the key is remembered"`
	kept   []*frames.Frames
	writes *int
	key    string
}

func (s *fakeStore) Open(_ context.Context, _ *Env, in Meta) (Meta, error) { return in, nil }
func (s *fakeStore) Ready(_ context.Context, key string) (bool, error) {
	s.key = key
	return false, nil
}
func (s *fakeStore) Write(_ context.Context, in Element) error {
	in.Retain()
	s.kept = append(s.kept, in.(*frames.Frames))
	return nil
}
func (s *fakeStore) Commit(context.Context) error { *s.writes = len(s.kept); return nil }
func (s *fakeStore) Abort()                       { s.Close() }
func (s *fakeStore) Emit(_ context.Context, how Pass, send func(Element) error) error {
	for i := 0; i < len(s.kept) || how == Endless; i++ {
		f := s.kept[i%len(s.kept)]
		f.Retain()
		if err := send(f); err != nil {
			return err
		}
	}
	return nil
}
func (s *fakeStore) Close() error {
	for _, f := range s.kept {
		f.Release()
	}
	s.kept = nil
	return nil
}

type fakeFit struct {
	fakeFlow
	sum, fits *int
}

func (f *fakeFit) FitKey() any { return "key" }
func (f *fakeFit) Fit(_ context.Context, in Element) (bool, error) {
	*f.fits++
	*f.sum += in.(*frames.Frames).Origins[0].Frame
	return in.(*frames.Frames).Origins[0].Frame >= 4, nil // enough at the fifth frame
}
func (f *fakeFit) Fitted() (any, error)      { return *f.sum, nil }
func (f *fakeFit) Restore(data []byte) error { return json.Unmarshal(data, f.sum) }

// fakeStep is a token; fakeTrain makes one of each frame and finishes after ten.
type fakeStep struct {
	n        int
	refs     atomic.Int32
	returned chan struct{}
}

func (s *fakeStep) Retain() { s.refs.Add(1) }
func (s *fakeStep) Release() {
	if s.refs.Add(-1) == 0 {
		close(s.returned)
	}
}
func (s *fakeStep) Origin() string            { return fmt.Sprint("step ", s.n) }
func (s *fakeStep) Returned() <-chan struct{} { return s.returned }

type fakeTrain struct {
	env *Env
	n   int
	out *atomic.Int32 // steps not yet returned
}

func (t *fakeTrain) Open(_ context.Context, env *Env, in Meta) (Meta, error) {
	t.env = env
	return in, nil
}
func (t *fakeTrain) Process(context.Context, Element) ([]Element, error) {
	if t.n == 10 {
		return nil, nil
	}
	if t.out.Load() != 0 {
		return nil, errors.New("the last step is still out")
	}
	t.n++
	t.out.Add(1)
	s := &fakeStep{n: t.n, returned: make(chan struct{})}
	s.Retain()
	if t.n == 10 {
		t.env.Finish()
	}
	return []Element{s}, nil
}
func (t *fakeTrain) Close() error { return nil }

// fakeLast takes its time over a step before it lets go of it.
type fakeLast struct{ out *atomic.Int32 }

func (l *fakeLast) Open(_ context.Context, _ *Env, in Meta) (Meta, error) { return in, nil }
func (l *fakeLast) Process(_ context.Context, in Element) ([]Element, error) {
	time.Sleep(time.Millisecond)
	l.out.Add(-1)
	in.Retain()
	return []Element{in}, nil
}
func (l *fakeLast) Close() error { return nil }

// flow builds a spec of stages without YAML.
func flowOf(t *testing.T, stages ...Stage) *Spec {
	spec := &Spec{File: "test", Run: defaultRun()}
	spec.Run.Dir = t.TempDir()
	traits := Traits(0)
	for _, s := range stages {
		link := Link{}
		if _, ok := s.(*fakeTrain); ok {
			link.Adds = Steps
		}
		_, isStore := s.(Store)
		traits = link.send(traits)
		spec.Flow = append(spec.Flow, Node{
			Name: strings.TrimPrefix(fmt.Sprintf("%T", s), "*pipeline."), Config: &struct{}{}, Traits: traits,
			Decl: Declared{Link: link, Store: isStore, New: func(any) Stage { return s }},
		})
	}
	return spec
}

// execute runs a flow on checked memory and fails on any buffer left behind.
func execute(t *testing.T, ctx context.Context, spec *Spec) (string, error) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	var out strings.Builder
	err := Execute(ctx, spec, Options{Out: display.Lines{Writer: &out, Verbose: true}, Cache: t.TempDir(), Mem: mem})
	return out.String(), err
}

func TestExecute(t *testing.T) {
	var seen atomic.Int64
	out, err := execute(t, context.Background(), flowOf(t, &fakeSource{Count: 20000}, &fakeFlow{}, &fakeFlow{seen: &seen}))
	if err != nil {
		t.Fatal(err)
	}
	if seen.Load() != 20000 {
		t.Errorf("%d frames arrived, want 20000", seen.Load())
	}
	if !strings.Contains(out, "fakeFlow     20000") {
		t.Errorf("account lacks the frames:\n%s", out)
	}
}

func TestFlush(t *testing.T) {
	var seen atomic.Int64
	if _, err := execute(t, context.Background(), flowOf(t, &fakeSource{Count: 7}, &fakeFlow{Hold: true}, &fakeFlow{seen: &seen})); err != nil {
		t.Fatal(err)
	}
	if seen.Load() != 7 {
		t.Errorf("%d held frames arrived, want 7", seen.Load())
	}
}

func TestFailures(t *testing.T) {
	canceled, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("stopped by hand"))
	for name, c := range map[string]struct {
		ctx    context.Context
		stages []Stage
		want   string
		input  bool
	}{
		"error": {nil, []Stage{&fakeSource{Count: 20000}, &fakeFlow{}, &fakeFlow{FailAt: 9000}, &fakeFlow{}},
			"flow[2].fakeFlow: seed 1, frame 9000: bad frame", false},
		"panic": {nil, []Stage{&fakeSource{Count: 100}, &fakeFlow{PanicAt: 3}},
			"flow[1].fakeFlow: seed 1, frame 3: internal error: out of my depth (at ", false},
		"held back": {nil, []Stage{&fakeSource{Count: 100}, &fakeFlow{Hold: true}, &fakeFlow{FailAt: 5}},
			"flow[2].fakeFlow: seed 1, frame 5: bad frame", false},
		"released": {nil, []Stage{&fakeSource{Count: 100}, &fakeFlow{LetGo: true}},
			"flow[1].fakeFlow: seed 1, frame 0: internal error: frames: released more often than retained: seed 1, frame 0 (at ", false},
		"open":       {nil, []Stage{&fakeSource{Count: 1}, &fakeFlow{OpenFail: true}}, "flow[1].fakeFlow: cannot open", true},
		"canceled":   {canceled, []Stage{&fakeSource{Count: 100}, &fakeFlow{}}, "stopped by hand", false},
		"fill fails": {nil, []Stage{&fakeSource{Count: 100}, &fakeFlow{FailAt: 50}, &fakeStore{writes: new(int)}}, "frame 50: bad frame", false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := c.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			_, err := execute(t, ctx, flowOf(t, c.stages...))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			var input *InputError
			if errors.As(err, &input) != c.input {
				t.Errorf("%v: input error %v, want %v", err, !c.input, c.input)
			}
		})
	}
}

// TestCancelInFlight cancels while frames are everywhere in the flow.
func TestCancelInFlight(t *testing.T) {
	for range 20 {
		ctx, cancel := context.WithCancelCause(context.Background())
		var seen atomic.Int64
		go func() {
			for seen.Load() < 500 {
				time.Sleep(100 * time.Microsecond)
			}
			cancel(errors.New("enough of this"))
		}()
		_, err := execute(t, ctx, flowOf(t, &fakeSource{Count: 1 << 40}, &fakeFlow{}, &fakeFlow{seen: &seen}, &fakeFlow{}))
		if err == nil || err.Error() != "enough of this" {
			t.Fatalf("error %v, want the cause", err)
		}
	}
}

// TestStoreAndFit: the store is filled once and replayed, the fitter sees
// frames through it until it has enough, and its result is kept.
func TestStoreAndFit(t *testing.T) {
	cache := t.TempDir()
	var sums, fitted []int
	for range 2 {
		writes, sum, fits := 0, 0, 0
		var seen atomic.Int64
		fit := &fakeFit{fakeFlow: fakeFlow{seen: &seen}, sum: &sum, fits: &fits}
		spec := flowOf(t, &fakeSource{Count: 12}, &fakeStore{writes: &writes}, fit)
		if err := Execute(context.Background(), spec, Options{Out: &strings.Builder{}, Cache: cache}); err != nil {
			t.Fatal(err)
		}
		if writes != 12 || seen.Load() != 12 {
			t.Errorf("%d frames stored and %d replayed, want 12 and 12", writes, seen.Load())
		}
		sums, fitted = append(sums, sum), append(fitted, fits)
	}
	if sums[0] != 0+1+2+3+4 || sums[1] != sums[0] {
		t.Errorf("fitted %v, want 10 twice", sums)
	}
	if fitted[0] < 5 || fitted[1] != 0 {
		t.Errorf("frames seen by Fit: %v, want at least 5 and then none", fitted)
	}
	kept, err := filepath.Glob(filepath.Join(cache, "fits", "*.json"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept results %v, %v", kept, err)
	}
	whole, err := os.ReadFile(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	for what, damaged := range map[string]string{
		"not json":        "not json",
		"a changed digit": strings.Replace(string(whole), "10", "11", 1),
		"another's":       string(seal.Object([]byte(`{"key":"0","result":11}`))),
	} {
		if damaged == string(whole) {
			t.Fatalf("no result 10 in %s", whole)
		}
		if err := os.WriteFile(kept[0], []byte(damaged), 0o644); err != nil {
			t.Fatal(err)
		}
		writes, sum, fits := 0, 0, 0
		out := &strings.Builder{}
		spec := flowOf(t, &fakeSource{Count: 12}, &fakeStore{writes: &writes}, &fakeFit{sum: &sum, fits: &fits})
		if err := Execute(context.Background(), spec, Options{Out: out, Cache: cache}); err != nil {
			t.Fatal(err)
		}
		if fits == 0 || sum != 10 || !strings.Contains(out.String(), "computing statistics again: "+kept[0]) {
			t.Errorf("%s: it was not made again: %d frames, sum %d, %s", what, fits, sum, out)
		}
	}
}

// TestStepsComeBack: the trainer never has two steps out, and ends the run.
func TestStepsComeBack(t *testing.T) {
	out := &atomic.Int32{}
	train := &fakeTrain{out: out}
	if _, err := execute(t, context.Background(), flowOf(t, &fakeSource{}, train, &fakeLast{out})); err != nil {
		t.Fatal(err)
	}
	if train.n != 10 {
		t.Errorf("%d steps, want 10", train.n)
	}
}

// TestFramesTooLarge: frames that three of do not fit in memory are refused when the
// stage that sends them opens, and so are cells that cannot be meant.
func TestFramesTooLarge(t *testing.T) {
	m := Meta{Grid: field.Grid{H: 1 << 15, W: 1 << 15}, Channels: []string{"a", "b"}}
	if err := checkFrames(m, 26e9); err != nil {
		t.Error(err)
	}
	want := "3 frames at once, of 2 fields on 32768 x 32768 cells each, would take about 25.8 GB, and 20.0 GB of memory are left"
	if err := checkFrames(m, 20e9); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	m.Box = [2]float64{1e8, 1}
	if err := checkFrames(m, 26e9); err == nil || !strings.Contains(err.Error(), "run.grid.box") {
		t.Error(err)
	}
	if err := checkFrames(Meta{}, 0); err != nil {
		t.Errorf("without a grid: %v", err)
	}
}
