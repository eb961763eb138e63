package stages

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sys/unix"

	"fmsr.example/fmsr/internal/format/arrowtensor"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/framecache"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/store/seal"
	"fmsr.example/fmsr/pipeline"
)

// ArrowCache writes the frames that reach it once, and replays them from then on.
//
//	frames, once     -- a - b - c - d ------------------------------
//	                 [ frames.arrow + index.json, in the cache      ]
//	frames           -- val: a -- train: c - b - d -- d - c - b -- ...
type ArrowCache struct {
	Dir   string  `yaml:"dir" path:"file" doc:"folder for the caches; empty: fmsr in the user's cache folder" resume:"free"`
	Limit float64 `yaml:"limit" min:"0" doc:"GB that the folder may hold: beyond it the caches used longest ago are removed; 0: no limit" resume:"free"`
}

func init() {
	pipeline.Register(pipeline.Declaration[ArrowCache]{
		Name: "arrow_cache",
		Doc: `Keeps frames as Arrow record batches and replays them.

	frames, once     -- a - b - c - d ------------------------------
	                 [ frames.arrow + index.json, in the cache      ]
	frames           -- val: a -- train: c - b - d -- d - c - b -- ...

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

var (
	_ pipeline.Store      = (*arrowCache)(nil)
	_ pipeline.Forecaster = (*arrowCache)(nil)
)

// AdviseFlow warns of a cache that also keeps what is quickly made again.
func (*ArrowCache) AdviseFlow(above []any, warn func(key, summary, detail string)) {
	if slices.ContainsFunc(above, func(c any) bool { _, ok := c.(*PoolUpsample); return ok }) {
		warn("", "is below pool_upsample, and keeps x_lo too, which doubles its size", "put it above pool_upsample")
	}
}

// verifyAtOnce is the size up to which a whole cache is checked before a run, so that a
// damaged one is made again. Every frame is checked again when it is read.
const verifyAtOnce = 1 << 30

type arrowCache struct {
	ArrowCache
	env  *pipeline.Env
	meta pipeline.Meta
	dir  string // of this cache

	build *cacheBuild
	framecache.Contents
	lock    *os.File       // marks the cache as in use
	data    *infile.File   // frames.arrow
	splits  []frames.Split // of each frame
	digests map[frames.Split]string
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
	if !env.Dry {
		if err := os.MkdirAll(c.Dir, 0o777); err != nil {
			return in, fmt.Errorf("the folder of the cached frames: %w: set arrow_cache.dir to another", err)
		}
	}
	c.digests = map[frames.Split]string{}
	in.Seeds, in.Digests = nil, c.digests // the replay mixes seeds
	return in, nil
}

// Forecast adds the cache, unless it is there.
func (c *arrowCache) Forecast(f *pipeline.Forecast) {
	dir := filepath.Join(c.Dir, f.Key)
	if _, err := os.Stat(filepath.Join(dir, framecache.Index)); err == nil {
		f.Say("cache", "%s: there, of an earlier run", dir)
		return
	}
	bytes := 4 * float64(len(c.meta.Channels)*c.meta.Cells())
	if c.paired() {
		bytes *= 2
	}
	n := 0
	for _, frames := range c.meta.Frames {
		n += frames
	}
	f.Disk(c.Dir, float64(n)*bytes, "the cache of frames")
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

// load locks and opens the cache and checks the index against it.
func (c *arrowCache) load(ctx context.Context) (err error) {
	c.unload()
	c.lock, c.Contents, err = framecache.Use(c.dir)
	if err == nil {
		err = c.check(ctx)
	}
	if err == nil {
		err = c.stored().warnOfTwins(c.env)
	}
	if err != nil {
		c.unload()
	}
	return err
}

// unload closes and unlocks the cache.
func (c *arrowCache) unload() {
	if c.data != nil {
		c.data.Close()
	}
	if c.lock != nil {
		c.lock.Close()
	}
	c.lock, c.data = nil, nil
}

func (c *arrowCache) check(ctx context.Context) (err error) {
	want := 0
	for _, n := range c.meta.Frames {
		want += n
	}
	if !slices.Equal(c.Channels, c.meta.Channels) || c.H != c.meta.H || c.W != c.meta.W || len(c.Frames) != want || (c.Frames[0].Lo != nil) != c.paired() {
		return fmt.Errorf("%s: not of this data", framecache.Index)
	}
	if c.data, err = infile.Open(filepath.Join(c.dir, framecache.Frames)); err != nil {
		return err
	}
	if c.data.Size != c.Bytes {
		return fmt.Errorf("%s: %d bytes, want %d", framecache.Frames, c.data.Size, c.Bytes)
	}
	c.splits = nil
	for _, e := range c.Frames {
		split, err := frames.ParseSplit(e.Split)
		if err != nil {
			return fmt.Errorf("%s: seed %d, frame %d: %w", framecache.Index, e.Seed, e.Frame, err)
		}
		c.splits = append(c.splits, split)
	}
	maps.Copy(c.digests, c.Contents.Digests())
	if c.Bytes > verifyAtOnce {
		return nil
	}
	return parallel.Each(len(c.Frames), func(i int) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f, err := c.frame(i)
		if err == nil {
			f.Release()
		}
		return err
	})
}

// paired reports whether frames come with an x_lo.
func (c *arrowCache) paired() bool { return c.meta.Factor != 0 }

// tensor reads a tensor's values (C,H,W) and checks them against their checksum.
func (c *arrowCache) tensor(t framecache.Tensor) (*memory.Buffer, error) {
	b := frames.NewBuffer(c.env.Mem, int(c.FrameBytes()/4))
	err := c.data.Fill(b.Bytes(), t.Offset)
	if sum := seal.Sum(b.Bytes()); err == nil && sum != t.CRC {
		err = fmt.Errorf("checksum %08x, want %08x", sum, t.CRC)
	}
	if err != nil {
		b.Release()
		return nil, err
	}
	return b, nil
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
		kept = append(kept, framecache.Tensor{Offset: b.writer.Offsets()[i], CRC: seal.Sum(values.Bytes())})
	}
	origin := f.Origins[n]
	e := framecache.Entry{Seed: origin.Seed, Frame: origin.Frame, Split: origin.Split.String(), Tensor: kept[0], Moment: origin.Moment}
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
		c.env.Progress.Note("arrow_cache: removed %s, %s, last used %s: the limit is %g GB", r.Key, atomicfile.Size(r.Bytes), r.Used.Format(time.DateOnly), c.Limit)
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

// Emit replays the frames.
func (c *arrowCache) Emit(ctx context.Context, pass pipeline.Pass, send func(pipeline.Element) error) error {
	s := c.stored()
	s.read = func(i int) (*frames.Frames, error) {
		f, err := c.frame(i)
		if err != nil { // the next run makes a cache without an index again
			_ = os.Remove(filepath.Join(c.dir, framecache.Index))
			err = fmt.Errorf("the cache %s is damaged, run again to make a new one: %w", c.dir, err)
		}
		return f, err
	}
	return replay(ctx, pass, c.env, s, send)
}

// stored returns the cache's frames.
func (c *arrowCache) stored() stored {
	return stored{
		splits: c.splits,
		bytes:  c.FrameBytes() * int64(len(c.Frames[0].Tensors())),
		sum:    func(i int) uint32 { return c.Frames[i].CRC },
		read:   c.frame,
	}
}

// frame reads frame i.
func (c *arrowCache) frame(i int) (*frames.Frames, error) {
	e := c.Frames[i]
	origin := frames.Origin{Seed: e.Seed, Frame: e.Frame, Split: c.splits[i], Moment: e.Moment}
	hi, err := c.tensor(e.Tensor)
	if err != nil {
		return nil, fmt.Errorf("%s: %v: %w", framecache.Frames, origin, err)
	}
	f := frames.New(c.Channels, c.meta.Grid, []frames.Origin{origin}, hi, nil)
	if e.Lo == nil {
		return f, nil
	}
	if f.Lo, err = c.tensor(*e.Lo); err != nil {
		f.Release()
		return nil, fmt.Errorf("%s: %v: x_lo: %w", framecache.Frames, origin, err)
	}
	return f, nil
}

// Close removes a cache that was not finished, and closes one that was.
func (c *arrowCache) Close() error {
	c.Abort()
	c.unload()
	return nil
}
