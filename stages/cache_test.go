package stages

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/framecache"
	"fmsr.example/fmsr/pipeline"
)

const testKey = "0123456789abcdef01234567"

// TestArrowCacheEpochs: the first epoch, straight after the cache was made, and
// every later one, of this run and the next, give the same bytes for a frame.
func TestArrowCacheEpochs(t *testing.T) {
	env := testEnv(t)
	seen := map[frames.Origin][]byte{}
	sent := 0
	for range 2 {
		c := cacheOf(t, env, testKey)
		err := c.Emit(context.Background(), pipeline.Endless, func(e pipeline.Element) error {
			defer e.Release()
			if sent++; sent%(2+3*5) == 0 {
				return errEnough
			}
			f := e.(*frames.Frames)
			first, ok := seen[f.Origins[0]]
			if !ok {
				seen[f.Origins[0]] = bytes.Clone(f.Hi.Bytes())
			} else if !bytes.Equal(first, f.Hi.Bytes()) {
				t.Errorf("%v differs from its first epoch", f.Origins[0])
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 7 {
		t.Errorf("%d frames, want 7", len(seen))
	}
}

// TestArrowCacheShared: runs that make and use one cache at the same time all
// read it whole, and one copy is left.
func TestArrowCacheShared(t *testing.T) {
	env := testEnv(t)
	var wait sync.WaitGroup
	got := make([]string, 6)
	for i := range got {
		wait.Add(1)
		go func() {
			defer wait.Done()
			c := cacheOf(t, env, testKey)
			got[i] = replayCache(t, c, pipeline.Once, 100)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	wait.Wait()
	for _, g := range got {
		if g != got[0] || len(strings.Fields(g)) != 7 {
			t.Errorf("replayed %q, another %q", g, got[0])
		}
	}
	if left, err := os.ReadDir(filepath.Join(env.Cache, "frames")); err != nil || len(left) != 1 || left[0].Name() != testKey {
		t.Errorf("left %v, %v: want one cache", left, err)
	}
}

// TestArrowCacheInUse: a cache that a run replays cannot be removed; afterwards it can.
func TestArrowCacheInUse(t *testing.T) {
	env := testEnv(t)
	c := cacheOf(t, env, testKey)
	if err := framecache.Remove(c.Dir, testKey); !errors.Is(err, framecache.ErrInUse) {
		t.Errorf("in use: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := framecache.Remove(c.Dir, testKey); err != nil {
		t.Error(err)
	}
}

// TestArrowCacheLimit: a new cache pushes out the caches beyond the limit.
func TestArrowCacheLimit(t *testing.T) {
	env := testEnv(t)
	first := cacheOf(t, env, testKey)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := cacheOf(t, env, strings.Repeat("1", 24))
	defer second.Close()
	second.Limit = float64(second.Bytes+first.Bytes) * 2e-9
	if err := second.evict(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(first.dir); err != nil {
		t.Errorf("within the limit: %v", err)
	}
	second.Limit = 1e-9
	if err := second.evict(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(first.dir); err == nil {
		t.Error("beyond the limit the old one is still there")
	}
	if got := replayCache(t, second, pipeline.Once, 100); len(strings.Fields(got)) != 7 {
		t.Errorf("the cache in use replays %q", got)
	}
}

// TestArrowCacheDamagedLater: a value that changes after the check ends the run,
// and the next one makes the cache again.
func TestArrowCacheDamagedLater(t *testing.T) {
	env := testEnv(t)
	c := cacheOf(t, env, testKey)
	defer c.Close()
	if err := flip(filepath.Join(c.dir, framecache.Frames), c.Frames[3].Offset+5); err != nil {
		t.Fatal(err)
	}
	err := c.Emit(context.Background(), pipeline.Once, func(e pipeline.Element) error { e.Release(); return nil })
	if err == nil || !strings.Contains(err.Error(), "seed 0, frame 1: checksum") || !strings.Contains(err.Error(), "run again") {
		t.Errorf("error %v, want the frame and what to do", err)
	}
	if _, err := os.Stat(filepath.Join(c.dir, framecache.Index)); err == nil {
		t.Error("the index is still there")
	}
}

// TestArrowCachePaired: x_lo is replayed beside x_hi, and
// checked like it. A cache without it is not one of frames that have it.
func TestArrowCachePaired(t *testing.T) {
	env := testEnv(t)
	plain := cacheOf(t, env, testKey)
	if err := plain.Close(); err != nil {
		t.Fatal(err)
	}
	c := &arrowCache{}
	defer c.Close()
	meta := pipeline.Meta{Channels: []string{"a", "b"}, Grid: field.Grid{H: 4, W: 4}, Factor: 2, Frames: map[frames.Split]int{frames.Val: 2, frames.Train: 5}}
	if _, err := c.Open(context.Background(), env, meta); err != nil {
		t.Fatal(err)
	}
	if ready, err := c.Ready(context.Background(), testKey); ready || err != nil {
		t.Fatalf("ready %v, %v: there is no x_lo", ready, err)
	}
	for i := range 7 {
		split := frames.Train
		if i < 2 {
			split = frames.Val
		}
		hi, lo := frames.NewBuffer(env.Mem, 32), frames.NewBuffer(env.Mem, 32)
		for j := range 32 {
			frames.Floats(hi)[j], frames.Floats(lo)[j] = float32(100*i+j), -float32(100*i+j)
		}
		f := frames.New(meta.Channels, field.Grid{H: 4, W: 4}, []frames.Origin{{Frame: i, Split: split}}, hi, lo)
		err := c.Write(context.Background(), f)
		f.Release()
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	sent := 0
	err := c.Emit(context.Background(), pipeline.Once, func(e pipeline.Element) error {
		defer e.Release()
		f := e.(*frames.Frames)
		for j, v := range f.XLo() {
			if want := float32(100*f.Origins[0].Frame + j); v != -want || f.XHi()[j] != want {
				t.Fatalf("%v[%d]: %g and %g, want %g and %g", f.Origins[0], j, f.XHi()[j], v, want, -want)
			}
		}
		sent++
		return nil
	})
	if err != nil || sent != 7 {
		t.Errorf("%d frames, %v: want 7", sent, err)
	}
	if err := flip(filepath.Join(c.dir, framecache.Frames), c.Frames[3].Lo.Offset+5); err != nil {
		t.Fatal(err)
	}
	if err := c.load(context.Background()); err == nil || !strings.Contains(err.Error(), "seed 0, frame 3: x_lo: checksum") {
		t.Errorf("a damaged x_lo: %v", err)
	}
}
