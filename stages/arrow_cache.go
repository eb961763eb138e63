package stages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sys/unix"

	"fmsr/internal/atomicfile"
	"fmsr/internal/frames"
	"fmsr/internal/rng"
	"fmsr/pipeline"
)

// ArrowCache writes what reaches it once and replays it from then on.
//
//	frames, once     -- a - b - c - d ------------------------------
//	                 [ frames.arrow + index.json, in the cache      ]
//	frames, mapped   -- val: a -- train: c - b - d -- d - c - b -- ...
type ArrowCache struct {
	Dir string `yaml:"dir" path:"file" doc:"folder for the caches; empty: fmsr in the user's cache folder"`
}

func init() {
	pipeline.Register(pipeline.Declaration{
		Name: "arrow_cache",
		Doc: `Keeps frames as Arrow record batches and replays them, memory-mapped.

	frames, once     -- a - b - c - d ------------------------------
	                 [ frames.arrow + index.json, in the cache      ]
	frames, mapped   -- val: a -- train: c - b - d -- d - c - b -- ...

The first run writes what reaches it; later ones with the same stages above it and
the same input files start from here. It replays the validation frames once, in
order, and then the training frames for ever, each epoch in an order that is a
function of the run's seed and the epoch. A cache that is damaged or half-written
is made again.`,
		Link:   pipeline.Link{Store: true, Needs: pipeline.Planar, Adds: pipeline.Replayed},
		Config: func() any { return &ArrowCache{} },
		New:    func(config any) pipeline.Stage { return &arrowCache{ArrowCache: *config.(*ArrowCache)} },
	})
}

// The files of a cache.
const (
	cacheFrames = "frames.arrow"
	cacheIndex  = "index.json"
	// verifyAtOnce is the size up to which a cache is checked whole before a
	// run; of a larger one each frame is checked when it is first used.
	verifyAtOnce = 1 << 30
)

// cacheEntry is where a frame's values lie in frames.arrow.
type cacheEntry struct {
	Seed   int    `json:"seed"`
	Frame  int    `json:"frame"`
	Split  string `json:"split"`
	Offset int64  `json:"offset"`
	CRC    uint32 `json:"crc32c"`
}

// cacheContents is index.json, which is written last: a cache without it is not one.
type cacheContents struct {
	Format   int          `json:"format"`
	Channels []string     `json:"channels"`
	H        int          `json:"h"`
	W        int          `json:"w"`
	Bytes    int64        `json:"bytes"` // of frames.arrow
	Frames   []cacheEntry `json:"frames"`
}

const cacheFormat = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type arrowCache struct {
	ArrowCache
	env  *pipeline.Env
	meta pipeline.Meta
	dir  string // of this cache

	build *cacheBuild
	cacheContents
	verified []bool
}

// Open takes note of what will come; the cache's place is known by its key.
func (c *arrowCache) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	c.env, c.meta = env, in
	if c.Dir == "" {
		c.Dir = filepath.Join(env.Cache, "frames")
	}
	in.Seeds = nil // the replay mixes them
	return in, nil
}

// Ready looks for a whole copy under the key.
func (c *arrowCache) Ready(ctx context.Context, key string) (bool, error) {
	c.dir = filepath.Join(c.Dir, key)
	err := c.load(ctx)
	if err == nil {
		return true, nil
	}
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if _, statErr := os.Stat(c.dir); statErr == nil { // a whole cache appears by rename, index and all
		c.env.Progress.Note("arrow_cache: making %s again: %v", c.dir, err)
	}
	return false, os.RemoveAll(c.dir)
}

// load reads the index and checks it against the file.
func (c *arrowCache) load(ctx context.Context) error {
	data, err := os.ReadFile(filepath.Join(c.dir, cacheIndex))
	if err != nil {
		return err
	}
	c.cacheContents = cacheContents{}
	if err := json.Unmarshal(data, &c.cacheContents); err != nil {
		return fmt.Errorf("%s: %w", cacheIndex, err)
	}
	want := 0
	for _, n := range c.meta.Frames {
		want += n
	}
	if c.Format != cacheFormat || !slices.Equal(c.Channels, c.meta.Channels) || c.H != c.meta.H || c.W != c.meta.W || len(c.Frames) != want {
		return fmt.Errorf("%s: not of this data", cacheIndex)
	}
	info, err := os.Stat(filepath.Join(c.dir, cacheFrames))
	if err != nil {
		return fmt.Errorf("%s is missing", cacheFrames)
	}
	if info.Size() != c.Bytes {
		return fmt.Errorf("%s: %d bytes, want %d", cacheFrames, info.Size(), c.Bytes)
	}
	size := c.frameBytes()
	for _, e := range c.Frames {
		if _, err := frames.ParseSplit(e.Split); err != nil || e.Offset < 0 || e.Offset%4 != 0 || e.Offset+size > c.Bytes {
			return fmt.Errorf("%s: seed %d, frame %d: split %q at byte %d", cacheIndex, e.Seed, e.Frame, e.Split, e.Offset)
		}
	}
	c.verified = make([]bool, len(c.Frames))
	if c.Bytes > verifyAtOnce {
		return nil
	}
	whole, err := c.mapFile()
	if err != nil {
		return err
	}
	defer whole.Release()
	for i := range c.Frames {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := c.verify(whole, i); err != nil {
			return err
		}
	}
	return nil
}

func (c *arrowCache) frameBytes() int64 { return 4 * int64(len(c.Channels)*c.H*c.W) }

// mapFile is the whole of frames.arrow; it stays mapped until the last frame is released.
func (c *arrowCache) mapFile() (*memory.Buffer, error) {
	f, err := os.Open(filepath.Join(c.dir, cacheFrames))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := unix.Mmap(int(f.Fd()), 0, int(c.Bytes), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("%s: mapping: %w", f.Name(), err)
	}
	return frames.Foreign(data, func() { _ = unix.Munmap(data) }), nil
}

// verify checks frame i's values against their checksum, once.
func (c *arrowCache) verify(whole *memory.Buffer, i int) error {
	if c.verified[i] {
		return nil
	}
	e := c.Frames[i]
	if sum := crc32.Checksum(whole.Bytes()[e.Offset:e.Offset+c.frameBytes()], castagnoli); sum != e.CRC {
		return fmt.Errorf("%s: seed %d, frame %d: checksum %08x, want %08x", cacheFrames, e.Seed, e.Frame, sum, e.CRC)
	}
	c.verified[i] = true
	return nil
}

// cacheBuild is a cache being written, in a folder beside its place.
type cacheBuild struct {
	dir    string
	file   *positioned
	writer *ipc.FileWriter
	schema *arrow.Schema
	index  cacheContents
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
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	total := int64(0)
	for _, n := range c.meta.Frames {
		total += int64(n) * int64(4*f.FrameLen()+1024)
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(c.Dir, &disk); err != nil {
		return fmt.Errorf("%s: %w", c.Dir, err)
	}
	if free := int64(disk.Bavail) * disk.Bsize; free < total {
		return fmt.Errorf("%s: %.2f GB free, the cache needs %.2f GB: make room or set arrow_cache.dir", c.Dir, float64(free)/1e9, float64(total)/1e9)
	}
	dir, err := os.MkdirTemp(c.Dir, ".making-")
	if err != nil {
		return err
	}
	b := &cacheBuild{dir: dir, index: cacheContents{Format: cacheFormat, Channels: f.Channels, H: f.H, W: f.W}}
	c.build = b
	file, err := os.Create(filepath.Join(dir, cacheFrames))
	if err != nil {
		return err
	}
	b.file = &positioned{File: file}
	b.schema = cacheSchema(f)
	b.writer, err = ipc.NewFileWriter(b.file, ipc.WithSchema(b.schema))
	return err
}

// cacheSchema is one row a frame; x opens as a tensor in pyarrow.
func cacheSchema(f *frames.Frames) *arrow.Schema {
	x := arrow.FixedSizeListOf(int32(f.FrameLen()), arrow.PrimitiveTypes.Float32)
	shape, _ := json.Marshal(map[string]any{"shape": []int{len(f.Channels), f.H, f.W}, "dim_names": []string{"C", "H", "W"}})
	names, _ := json.Marshal(f.Channels) // slices of strings and ints always encode
	return arrow.NewSchema([]arrow.Field{
		{Name: "seed", Type: arrow.PrimitiveTypes.Int32},
		{Name: "frame", Type: arrow.PrimitiveTypes.Int32},
		{Name: "split", Type: arrow.BinaryTypes.String},
		{Name: "x", Type: x, Metadata: arrow.NewMetadata(
			[]string{"ARROW:extension:name", "ARROW:extension:metadata"},
			[]string{"arrow.fixed_shape_tensor", string(shape)})},
	}, ptr(arrow.NewMetadata([]string{"channel_names"}, []string{string(names)})))
}

func ptr[T any](v T) *T { return &v }

// add writes frame n of f as a record batch around the frame's own memory.
func (b *cacheBuild) add(f *frames.Frames, n int) error {
	origin := f.Origins[n]
	values := frames.Slice(f.Hi, 4*n*f.FrameLen(), 4*f.FrameLen())
	defer values.Release()

	columns := []arrow.Array{int32Column(origin.Seed), int32Column(origin.Frame), stringColumn(origin.Split.String()), listColumn(b.schema.Field(3).Type, values)}
	record := array.NewRecord(b.schema, columns, 1)
	for _, column := range columns {
		column.Release()
	}
	defer record.Release()

	b.file.watch = &values.Bytes()[0]
	if err := b.writer.Write(record); err != nil {
		return fmt.Errorf("writing the cache: %w", err)
	}
	b.index.Frames = append(b.index.Frames, cacheEntry{
		Seed: origin.Seed, Frame: origin.Frame, Split: origin.Split.String(),
		Offset: b.file.seen, CRC: crc32.Checksum(values.Bytes(), castagnoli),
	})
	return nil
}

func int32Column(v int) arrow.Array {
	b := array.NewInt32Builder(memory.DefaultAllocator)
	defer b.Release()
	b.Append(int32(v))
	return b.NewArray()
}

func stringColumn(v string) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Append(v)
	return b.NewArray()
}

// listColumn is one list that is the buffer, without a copy.
func listColumn(list arrow.DataType, values *memory.Buffer) arrow.Array {
	item := array.NewData(arrow.PrimitiveTypes.Float32, values.Len()/4, []*memory.Buffer{nil, values}, nil, 0, 0)
	defer item.Release()
	data := array.NewData(list, 1, []*memory.Buffer{nil}, []arrow.ArrayData{item}, 0, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// positioned is a file that knows where it wrote the watched memory: Arrow's
// writer hands a record's buffers over as they are.
type positioned struct {
	*os.File
	pos   int64
	watch *byte
	seen  int64
}

func (p *positioned) Write(data []byte) (int, error) {
	if len(data) > 0 && &data[0] == p.watch {
		p.seen = p.pos
	}
	n, err := p.File.Write(data)
	p.pos += int64(n)
	return n, err
}

// Seek serves Arrow's question for the current position; nothing moves it.
func (p *positioned) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, errors.New("the cache is written from front to back")
	}
	return p.pos, nil
}

// Commit finishes the copy and puts it in its place by renaming the folder. If
// another run has put the same one there meanwhile, that one is used.
func (c *arrowCache) Commit(ctx context.Context) error {
	b := c.build
	if b == nil {
		return errors.New("no frame came to be cached")
	}
	if err := b.writer.Close(); err != nil {
		return fmt.Errorf("writing the cache: %w", err)
	}
	b.index.Bytes = b.file.pos
	if err := b.file.Sync(); err != nil {
		return fmt.Errorf("writing the cache: %w", err)
	}
	if err := b.file.Close(); err != nil {
		return fmt.Errorf("writing the cache: %w", err)
	}
	data, err := json.Marshal(b.index)
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(b.dir, cacheIndex), data); err != nil {
		return err
	}
	if err := os.Rename(b.dir, c.dir); err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, os.ErrExist) {
		return err
	}
	c.Abort() // what is left, if another run was first
	return c.load(ctx)
}

// Abort removes what was written and not committed.
func (c *arrowCache) Abort() {
	if c.build == nil {
		return
	}
	if c.build.file != nil {
		c.build.file.Close() // a second time after Commit, harmlessly
	}
	os.RemoveAll(c.build.dir)
	c.build = nil
}

// Emit replays: the validation frames in order, then the training frames,
// shuffled; once, or epoch after epoch. A single pass ends with the test frames.
func (c *arrowCache) Emit(ctx context.Context, pass pipeline.Pass, send func(pipeline.Element) error) error {
	whole, err := c.mapFile()
	if err != nil {
		return err
	}
	defer whole.Release()
	of := map[string][]int{}
	for i, e := range c.Frames {
		of[e.Split] = append(of[e.Split], i)
	}
	for _, i := range of[frames.Val.String()] {
		if err := c.emit(whole, i, send); err != nil {
			return err
		}
	}
	train := of[frames.Train.String()]
	for epoch := uint64(0); len(train) > 0 && (epoch == 0 || pass == pipeline.Endless); epoch++ {
		for _, i := range rng.Permutation(rng.Stream(c.env.Run.Seed, rng.Order, epoch), len(train)) {
			if err := c.emit(whole, train[i], send); err != nil {
				return err
			}
		}
	}
	if pass == pipeline.Once {
		for _, i := range of[frames.Test.String()] {
			if err := c.emit(whole, i, send); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (c *arrowCache) emit(whole *memory.Buffer, i int, send func(pipeline.Element) error) error {
	if err := c.verify(whole, i); err != nil {
		// without its index it is no cache, and the next run makes it again
		return errors.Join(fmt.Errorf("the cache %s is damaged, run again to make a new one: %w", c.dir, err), os.Remove(filepath.Join(c.dir, cacheIndex)))
	}
	e := c.Frames[i]
	split, err := frames.ParseSplit(e.Split)
	if err != nil {
		return err
	}
	origin := []frames.Origin{{Seed: e.Seed, Frame: e.Frame, Split: split}}
	return send(frames.New(c.Channels, c.H, c.W, origin, frames.Slice(whole, int(e.Offset), int(c.frameBytes())), nil))
}

// Close removes a copy that was not finished.
func (c *arrowCache) Close() error {
	c.Abort()
	return nil
}
