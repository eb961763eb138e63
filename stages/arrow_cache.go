package stages

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sys/unix"

	"fmsr/internal/format/arrowtensor"
	"fmsr/internal/frames"
	"fmsr/internal/parallel"
	"fmsr/internal/store/atomicfile"
	"fmsr/internal/store/framecache"
	"fmsr/pipeline"
)

// ArrowCache writes the frames that reach it once, and replays them from then on.
//
//	frames, once     -- a - b - c - d ------------------------------
//	                 [ frames.arrow + index.json, in the cache      ]
//	frames, mapped   -- val: a -- train: c - b - d -- d - c - b -- ...
type ArrowCache struct {
	Dir   string  `yaml:"dir" path:"file" doc:"folder for the caches; empty: fmsr in the user's cache folder" resume:"free"`
	Limit float64 `yaml:"limit" min:"0" doc:"GB that the folder may hold: beyond it the caches used longest ago are removed; 0: no limit" resume:"free"`
}

func init() {
	pipeline.Register(pipeline.Declaration[ArrowCache]{
		Name: "arrow_cache",
		Doc: `Keeps frames as Arrow record batches and replays them, memory-mapped.

	frames, once     -- a - b - c - d ------------------------------
	                 [ frames.arrow + index.json, in the cache      ]
	frames, mapped   -- val: a -- train: c - b - d -- d - c - b -- ...

The first run writes the frames that reach it. Later runs with the same stages above
it and the same input files start from the cache. It replays the validation frames
once, in order, and then the training frames for ever, each epoch in an order that
depends only on the run's seed and the epoch. A damaged or half-written cache is made
again. An x_lo that the frames already have is cached too, which doubles the size: put
pool_upsample below. fmsr cache lists and removes caches.`,
		Link: pipeline.Link{Needs: pipeline.Planar, Adds: pipeline.Replayed},
		New:  func(c *ArrowCache) pipeline.Stage { return &arrowCache{ArrowCache: *c} },
	})
}

var _ pipeline.Store = (*arrowCache)(nil)

// verifyAtOnce is the size up to which a whole cache is checked before a run. Each
// frame of a larger cache is checked before its first use.
const verifyAtOnce = 1 << 30

type arrowCache struct {
	ArrowCache
	env  *pipeline.Env
	meta pipeline.Meta
	dir  string // of this cache

	build *cacheBuild
	framecache.Contents
	lock     *os.File       // marks the cache as in use
	whole    *memory.Buffer // frames.arrow, mapped
	splits   []frames.Split // of each frame
	verified []bool
}

// Open records the Meta of the frames. Ready finds the cache's folder, by its key.
func (c *arrowCache) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	c.env, c.meta = env, in
	if c.Dir == "" {
		if env.Cache == "" {
			return in, errors.New("there is no place for the cached frames, since neither HOME nor XDG_CACHE_HOME names a folder: set arrow_cache.dir")
		}
		c.Dir = filepath.Join(env.Cache, "frames")
	}
	if err := os.MkdirAll(c.Dir, 0o777); err != nil {
		return in, fmt.Errorf("the folder of the cached frames: %w: set arrow_cache.dir to another", err)
	}
	in.Seeds = nil // the replay mixes them
	return in, nil
}

// Ready reports whether there is a whole cache under the key, and removes a damaged
// one.
func (c *arrowCache) Ready(ctx context.Context, key string) (bool, error) {
	c.dir = filepath.Join(c.Dir, key)
	err := c.load(ctx)
	if err == nil {
		return true, nil
	}
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if _, statErr := os.Stat(c.dir); statErr != nil { // a cache appears whole, by rename
		return false, nil
	}
	c.env.Progress.Note("arrow_cache: making %s again: %v", c.dir, err)
	if err := framecache.Remove(c.Dir, key); err == nil || errors.Is(err, fs.ErrNotExist) {
		return false, os.RemoveAll(c.dir) // other files in it
	}
	return false, fmt.Errorf("%s: %w, and damaged: %w", c.dir, framecache.ErrInUse, err)
}

// load locks and maps the cache and checks the index against it.
func (c *arrowCache) load(ctx context.Context) (err error) {
	c.unload()
	c.lock, c.Contents, err = framecache.Use(c.dir)
	if err == nil {
		err = c.check(ctx)
	}
	if err != nil {
		c.unload()
	}
	return err
}

// unload unmaps and unlocks the cache.
func (c *arrowCache) unload() {
	if c.whole != nil {
		c.whole.Release()
	}
	if c.lock != nil {
		c.lock.Close()
	}
	c.lock, c.whole = nil, nil
}

func (c *arrowCache) check(ctx context.Context) (err error) {
	want := 0
	for _, n := range c.meta.Frames {
		want += n
	}
	if !slices.Equal(c.Channels, c.meta.Channels) || c.H != c.meta.H || c.W != c.meta.W || len(c.Frames) != want || (c.Frames[0].Lo != nil) != c.paired() {
		return fmt.Errorf("%s: not of this data", framecache.Index)
	}
	if c.whole, err = frames.MapFile(filepath.Join(c.dir, framecache.Frames)); err != nil {
		return err
	}
	if n := int64(c.whole.Len()); n != c.Bytes {
		return fmt.Errorf("%s: %d bytes, want %d", framecache.Frames, n, c.Bytes)
	}
	c.splits = nil
	for _, e := range c.Frames {
		split, err := frames.ParseSplit(e.Split)
		if err != nil {
			return fmt.Errorf("%s: seed %d, frame %d: %w", framecache.Index, e.Seed, e.Frame, err)
		}
		c.splits = append(c.splits, split)
	}
	c.verified = make([]bool, len(c.Frames))
	if c.Bytes > verifyAtOnce {
		return nil
	}
	return parallel.Each(len(c.Frames), func(i int) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return c.verify(i)
	})
}

// paired reports whether frames come with an x_lo.
func (c *arrowCache) paired() bool { return c.meta.Factor != 0 }

// tensor returns a tensor's values (C,H,W), a view of the file.
func (c *arrowCache) tensor(t framecache.Tensor) *memory.Buffer {
	return frames.Slice(c.whole, int(t.Offset), int(c.FrameBytes()))
}

// verify checks frame i's values against their checksum, once.
func (c *arrowCache) verify(i int) error {
	if c.verified[i] {
		return nil
	}
	e := c.Frames[i]
	for _, t := range e.Tensors() {
		if sum := framecache.Checksum(c.whole.Bytes()[t.Offset:][:c.FrameBytes()]); sum != t.CRC {
			return fmt.Errorf("%s: seed %d, frame %d: checksum %08x, want %08x", framecache.Frames, e.Seed, e.Frame, sum, t.CRC)
		}
	}
	c.verified[i] = true
	return nil
}

// cacheBuild is a cache being written, in a folder beside its place.
type cacheBuild struct {
	dir    string
	file   *os.File
	summed *framecache.Summed // what goes into the file
	writer *arrowtensor.Writer
	index  framecache.Contents
}

// Write adds a frame to the cache being made.
func (c *arrowCache) Write(_ context.Context, in pipeline.Element) error {
	f := in.(*frames.Frames)
	if c.build == nil {
		if err := c.begin(f); err != nil {
			return err
		}
	}
	for n := range f.N() {
		if err := c.build.add(f, n); err != nil {
			return err
		}
	}
	return nil
}

func (c *arrowCache) begin(f *frames.Frames) error {
	size, columns := 4*f.FrameLen(), []string{"x"}
	if c.paired() {
		size, columns = 2*size, []string{"x", "x_lo"}
	}
	total := int64(0)
	for _, n := range c.meta.Frames {
		total += int64(n) * int64(size+1024)
	}
	if err := atomicfile.Room(c.Dir, total); err != nil {
		return fmt.Errorf("%w: make room or set arrow_cache.dir", err)
	}
	dir, err := framecache.Make(c.Dir)
	if err != nil {
		return fmt.Errorf("%w: set arrow_cache.dir to a folder that can be written", err)
	}
	b := &cacheBuild{dir: dir, index: framecache.Contents{Format: framecache.Format, Channels: f.Channels, H: f.H, W: f.W}}
	c.build = b
	if b.file, err = os.Create(filepath.Join(dir, framecache.Frames)); err != nil {
		return err
	}
	framecache.Hold(b.file)
	b.summed = &framecache.Summed{Writer: b.file}
	b.writer, err = arrowtensor.NewWriter("arrow", b.summed, arrowtensor.Schema(f.Channels, f.H, f.W, columns...))
	return err
}

// add writes frame n of f as a record batch around the frame's own memory.
func (b *cacheBuild) add(f *frames.Frames, n int) error {
	var tensors []*memory.Buffer
	for _, whole := range []*memory.Buffer{f.Hi, f.Lo} {
		if whole == nil {
			continue
		}
		values := frames.Slice(whole, 4*n*f.FrameLen(), 4*f.FrameLen())
		defer values.Release()
		tensors = append(tensors, values)
	}
	if err := b.writer.Write(f.Origins[n:n+1], tensors...); err != nil {
		return fmt.Errorf("writing the cache: %w", err)
	}
	var kept []framecache.Tensor
	for i, values := range tensors {
		kept = append(kept, framecache.Tensor{Offset: b.writer.Offsets()[i], CRC: framecache.Checksum(values.Bytes())})
	}
	origin := f.Origins[n]
	e := framecache.Entry{Seed: origin.Seed, Frame: origin.Frame, Split: origin.Split.String(), Tensor: kept[0]}
	if len(kept) > 1 {
		e.Lo = &kept[1]
	}
	b.index.Frames = append(b.index.Frames, e)
	return nil
}

// Commit finishes the cache and renames its folder into place. If another run has made
// the same cache meanwhile, Commit uses that one.
func (c *arrowCache) Commit(ctx context.Context) error {
	b := c.build
	if b == nil {
		return errors.New("no frame reached it")
	}
	if err := b.writer.Close(); err != nil {
		return fmt.Errorf("writing the cache: %w", err)
	}
	b.index.Bytes, b.index.CRC = b.writer.Size(), b.summed.Sum32()
	if err := b.file.Sync(); err != nil {
		return fmt.Errorf("writing the cache: %w", err)
	}
	data, err := b.index.Encode()
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(b.dir, framecache.Index), data); err != nil {
		return err
	}
	if err := os.Rename(b.dir, c.dir); err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, os.ErrExist) {
		return err
	}
	c.Abort() // closes the file, and removes the folder if another run was first
	if err := c.load(ctx); err != nil {
		return err
	}
	return c.evict()
}

// evict keeps the folder within its limit.
func (c *arrowCache) evict() error {
	if c.Limit == 0 {
		return nil
	}
	removed, err := framecache.Evict(c.Dir, int64(c.Limit*1e9))
	for _, r := range removed {
		c.env.Progress.Note("arrow_cache: removed %s, %.3g GB, last used %s: the limit is %g GB", r.Key, float64(r.Bytes)/1e9, r.Used.Format(time.DateOnly), c.Limit)
	}
	return err
}

// Abort removes a cache that was not committed.
func (c *arrowCache) Abort() {
	if c.build == nil {
		return
	}
	if c.build.file != nil {
		c.build.file.Close()
	}
	os.RemoveAll(c.build.dir)
	c.build = nil
}

// Emit replays the frames, a few at a time, and checks each before its first use.
func (c *arrowCache) Emit(ctx context.Context, pass pipeline.Pass, send func(pipeline.Element) error) error {
	return replay(ctx, pass, c.env.Run.Seed, c.env.Resume.Frames, c.splits, func(some []int) error {
		if err := parallel.Each(len(some), func(i int) error { return c.verify(some[i]) }); err != nil {
			// the next run makes a cache without an index again
			return errors.Join(fmt.Errorf("the cache %s is damaged, run again to make a new one: %w", c.dir, err), os.Remove(filepath.Join(c.dir, framecache.Index)))
		}
		for _, i := range some {
			if err := send(c.frame(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *arrowCache) frame(i int) *frames.Frames {
	e := c.Frames[i]
	origin := []frames.Origin{{Seed: e.Seed, Frame: e.Frame, Split: c.splits[i]}}
	f := frames.New(c.Channels, c.meta.Grid, origin, c.tensor(e.Tensor), nil)
	if e.Lo != nil {
		f.Lo = c.tensor(*e.Lo)
	}
	return f
}

// Close removes a cache that was not finished, and unmaps one that was.
func (c *arrowCache) Close() error {
	c.Abort()
	c.unload()
	return nil
}
