package stages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/framecache"
	"fmsr.example/fmsr/pipeline"
)

// emitted opens a source and lists what it emits: "seed/frame split ..." and
// what show says of it.
func emitted(t *testing.T, env *pipeline.Env, s pipeline.Source, show func(*frames.Frames) any) (pipeline.Meta, []string, error) {
	t.Helper()
	meta, err := s.Open(context.Background(), env, pipeline.Meta{})
	if err != nil {
		return meta, nil, err
	}
	var got []string
	err = s.Emit(context.Background(), pipeline.Once, func(e pipeline.Element) error {
		f := e.(*frames.Frames)
		o := f.Origins[0]
		got = append(got, fmt.Sprintf("%d/%d %s %v", o.Seed, o.Frame, o.Split, show(f)))
		e.Release()
		return nil
	})
	return meta, got, errors.Join(err, s.Close())
}

// load opens an npy_load on root and lists what it emits: "seed/frame split first-value".
func load(t *testing.T, env *pipeline.Env, c NpyLoad) (pipeline.Meta, []string, error) {
	t.Helper()
	return emitted(t, env, &npyLoad{NpyLoad: c}, func(f *frames.Frames) any { return frames.Floats(f.Hi)[0] })
}

func TestNpyLoad(t *testing.T) {
	root := t.TempDir()
	for seed := range 4 {
		writeSeed(t, root, seed, [4]int{2, 4, 6, 3})
	}
	base := NpyLoad{Root: root, Set: "set", Fields: []string{"a", "b", "c"}}
	with := func(change func(*NpyLoad)) NpyLoad {
		c := base
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		config  NpyLoad
		overfit bool
		want    string
	}{
		"all":      {base, false, "0/0 train 0,0/1 train 1,1/0 train 100,1/1 train 101,2/0 val 200,2/1 val 201,3/0 test 300,3/1 test 301"},
		"overfit":  {base, true, "0/0 val 0,0/1 val 1,0/0 train 0,0/1 train 1"},
		"frames":   {with(func(c *NpyLoad) { c.Frames = []int{1} }), false, "0/1 train 1,1/1 train 101,2/1 val 201,3/1 test 301"},
		"seeds":    {with(func(c *NpyLoad) { c.Seeds = []int{3, 1}; c.Frames = []int{0} }), false, "1/0 train 100,3/0 val 300"},
		"splits":   {with(func(c *NpyLoad) { c.Splits = []string{"val"} }), false, "2/0 val 200,2/1 val 201"},
		"by split": {with(func(c *NpyLoad) { c.Split = map[string][]int{"train": {3}, "test": {0}}; c.Frames = []int{0} }), false, "0/0 test 0,3/0 train 300"},
	} {
		t.Run(name, func(t *testing.T) {
			env := testEnv(t)
			env.Run.Overfit = c.overfit
			meta, got, err := load(t, env, c.config)
			if err != nil {
				t.Fatal(err)
			}
			if s := strings.Join(got, ","); s != c.want {
				t.Errorf("emitted %s\nwant    %s", s, c.want)
			}
			if meta.H != 4 || meta.W != 6 || len(meta.Channels) != 3 {
				t.Errorf("meta %+v", meta)
			}
		})
	}
}

// cacheOf fills an arrow_cache with a set of planar frames: val 0, 1, then train 0..4.
func cacheOf(t *testing.T, env *pipeline.Env, key string) *arrowCache {
	t.Helper()
	c := &arrowCache{}
	meta := pipeline.Meta{Channels: []string{"a", "b"}, Grid: field.Grid{H: 4, W: 4}, Frames: map[frames.Split]int{frames.Val: 2, frames.Train: 5}}
	if _, err := c.Open(context.Background(), env, meta); err != nil {
		t.Fatal(err)
	}
	ready, err := c.Ready(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	if ready {
		return c
	}
	write := func(seed, frame int, split frames.Split) {
		b := frames.NewBuffer(env.Mem, 32)
		for i := range frames.Floats(b) {
			frames.Floats(b)[i] = float32(seed*1000 + frame*100 + i)
		}
		f := frames.New(meta.Channels, field.Grid{H: 4, W: 4}, []frames.Origin{{Seed: seed, Frame: frame, Split: split}}, b, nil)
		defer f.Release()
		if err := c.Write(context.Background(), f); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 {
		write(1, i, frames.Val)
	}
	for i := range 5 {
		write(0, i, frames.Train)
	}
	if err := c.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	return c
}

var errEnough = errors.New("enough")

// gathered is n frames of what a source sends, as name calls them.
func gathered(t *testing.T, s pipeline.Source, pass pipeline.Pass, n int, name func(f *frames.Frames) string) string {
	t.Helper()
	var got []string
	err := s.Emit(context.Background(), pass, func(e pipeline.Element) error {
		defer e.Release()
		if len(got) == n {
			return errEnough
		}
		got = append(got, name(e.(*frames.Frames)))
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	return strings.Join(got, " ")
}

// replayCache gathers n frames as seed.frame, checking every value.
func replayCache(t *testing.T, c *arrowCache, pass pipeline.Pass, n int) string {
	t.Helper()
	return gathered(t, c, pass, n, func(f *frames.Frames) string {
		o := f.Origins[0]
		for i, v := range frames.Floats(f.Hi) {
			if v != float32(o.Seed*1000+o.Frame*100+i) {
				t.Fatalf("%v[%d] is %g", o, i, v)
			}
		}
		return fmt.Sprintf("%d.%d", o.Seed, o.Frame)
	})
}

func TestArrowCacheReplay(t *testing.T) {
	env := testEnv(t)
	c := cacheOf(t, env, "k")
	defer c.Close()
	once := replayCache(t, c, pipeline.Once, 100)
	endless := replayCache(t, c, pipeline.Endless, 2+5+5)
	if !strings.HasPrefix(endless, once) || !strings.HasPrefix(once, "1.0 1.1 ") || len(strings.Fields(once)) != 7 {
		t.Errorf("once %s, endless %s: want the validation frames first, then epochs", once, endless)
	}
	epochs := strings.Fields(endless)[2:]
	if strings.Join(epochs[:5], " ") == strings.Join(epochs[5:], " ") {
		t.Errorf("two epochs in the same order: %v", epochs)
	}
	seen := map[string]int{}
	for _, f := range epochs {
		seen[f]++
	}
	for f, n := range seen {
		if n != 2 {
			t.Errorf("frame %s came %d times in two epochs", f, n)
		}
	}
	again := cacheOf(t, env, "k") // from disk
	defer again.Close()
	if again.build != nil || replayCache(t, again, pipeline.Endless, 12) != endless {
		t.Error("a cache opened again replays differently")
	}
	env.Run.Seed = 99
	if replayCache(t, again, pipeline.Endless, 12) == endless {
		t.Error("another run seed gives the same order")
	}
}

// TestArrowCacheDamage: whatever is damaged, the cache is made again.
func TestArrowCacheDamage(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"index gone":      func(dir string) error { return os.Remove(filepath.Join(dir, framecache.Index)) },
		"index cut":       func(dir string) error { return os.Truncate(filepath.Join(dir, framecache.Index), 40) },
		"frames gone":     func(dir string) error { return os.Remove(filepath.Join(dir, framecache.Frames)) },
		"frames cut":      func(dir string) error { return os.Truncate(filepath.Join(dir, framecache.Frames), 900) },
		"a value changed": func(dir string) error { return flip(filepath.Join(dir, framecache.Frames), 1100) },
		"index emptied":   func(dir string) error { return os.WriteFile(filepath.Join(dir, framecache.Index), []byte("{}"), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			env := testEnv(t)
			first := cacheOf(t, env, "k")
			want := replayCache(t, first, pipeline.Once, 100)
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if err := damage(first.dir); err != nil {
				t.Fatal(err)
			}
			probe := &arrowCache{}
			if _, err := probe.Open(context.Background(), env, first.meta); err != nil {
				t.Fatal(err)
			}
			if ready, err := probe.Ready(context.Background(), "k"); ready || err != nil {
				t.Fatalf("the damaged cache is ready: %v, %v", ready, err)
			}
			second := cacheOf(t, env, "k")
			defer second.Close()
			if got := replayCache(t, second, pipeline.Once, 100); got != want {
				t.Errorf("made again it replays %s, want %s", got, want)
			}
		})
	}
}

func flip(path string, at int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		return err
	}
	b[0] ^= 0xff
	_, err = f.WriteAt(b, at)
	return err
}

// TestArrowCacheAbort: what was not committed leaves nothing.
func TestArrowCacheAbort(t *testing.T) {
	env := testEnv(t)
	c := &arrowCache{ArrowCache: ArrowCache{Dir: t.TempDir()}}
	f := goldenFrames(env, 1, 2, 4)
	defer f.Release()
	if _, err := c.Open(context.Background(), env, metaOf(f)); err != nil {
		t.Fatal(err)
	}
	if err := c.Write(context.Background(), f); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(c.Dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
