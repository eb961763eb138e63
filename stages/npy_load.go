package stages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/frames"
	"fmsr/pipeline"
)

// NpyLoad reads frames from npy and npz files.
//
//	files of seeds (F,H,W,C)        -- seed 0 ------------------ seed 1 --
//	                                [           npy_load             ]
//	frames (1,H,W,C), with origin   -- frame 0 -- 1 -- 2 -- ... -- 0 -- 1 --
type NpyLoad struct {
	Root    string           `yaml:"root" flag:"data-root" path:"file" doc:"folder that holds the run folders" resume:"free"`
	Set     string           `yaml:"set" flag:"data-set" doc:"run folder in root, with seed_NNNN/npy/*.npy below it"`
	Pattern string           `yaml:"pattern" doc:"instead of set: the files below root, as run_{seed}/fields.npy or {seed}_{field}.npy"`
	Files   []string         `yaml:"files" path:"file" doc:"instead of root and set: the files, as seeds 0, 1, ..."`
	Array   string           `yaml:"array" doc:"name of the array in npz files; empty: their only one"`
	Fields  []string         `yaml:"fields" doc:"channel names, in the order of the file's last axis"`
	Seeds   []int            `yaml:"seeds" doc:"seeds to read, 0-79 or a list; empty: all that are there"`
	Frames  []int            `yaml:"frames" doc:"frames of each file to read, 0-99 or a list; empty: all"`
	Splits  []string         `yaml:"splits" oneof:"train|val|test" doc:"splits to read; empty: all"`
	Split   map[string][]int `yaml:"split" doc:"seeds of each split; empty: the first 80% train, then 10% val, 10% test"`
}

// allFields are the fields of the reference runs, in their files' order.
func allFields() []string {
	return []string{"density", "velx", "vely", "velz", "Bx", "By", "Bz", "jz"}
}

func init() {
	pipeline.Register(pipeline.Declaration[NpyLoad]{
		Name: "npy_load",
		Doc: `Reads frames from npy and npz files.

	files of seeds (F,H,W,C)        -- seed 0 ------------------ seed 1 --
	                                [           npy_load             ]
	frames (1,H,W,C), with origin   -- frame 0 -- 1 -- 2 -- ... -- 0 -- 1 --

A seed is one array (frames, H, W, channels) in C order. The header decides the
grid. The files are, of the first that is set,

	files     those listed: seeds 0, 1, ...
	pattern   those below root that match: {seed} stands for the seed's digits (in
	          several places for the same), * and ? for any text in a name.
	          {field} stands for a channel's name: each field has its own file,
	          (frames, H, W) or (frames, H, W, 1).
	set       ROOT/SET/seed_NNNN/npy/*.npy, one in each folder

Little-endian float32 is mapped, without a copy, in an npz from numpy.savez too if
it lies at a multiple of 4 there. Anything else is converted frame by frame:
big-endian, float64 (a value beyond float32's range becomes Inf, which
channel_select refuses), float16, and numpy.savez_compressed, which is inflated
as it is read, in 64 KiB pieces: a damaged one is noticed at its end. Integers,
complex numbers, objects and Fortran order are refused.

Seeds are split in order, 80/10/10; with fewer than 100, val and test get a tenth
each (at least one seed, once there are two and three). With run.overfit all
frames of the first seed are both the training and the validation split.`,
		Link:    pipeline.Link{Adds: pipeline.Stored},
		Default: NpyLoad{Set: "mri256_nu3e-5", Fields: allFields()},
		New:     func(c *NpyLoad) pipeline.Stage { return &npyLoad{NpyLoad: *c} },
	})
}

var _ pipeline.Picker = (*npyLoad)(nil)

// Validate reports keys that cannot be.
func (c *NpyLoad) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	checkNames(c.Fields, report)
	checkSplit(c.Split, report)
	if c.Pattern != "" {
		if _, err := parsePattern(c.Pattern, c.Fields); err != nil {
			report("pattern", "%v", err)
		}
		if len(c.Files) > 0 {
			report("pattern", "is set beside files: want one of them")
		}
	}
	if c.Root != "" && len(c.Files) > 0 {
		report("root", "is set beside files, which are not looked for in it: want one of them")
	}
	for i, path := range c.Files {
		if slices.Contains(c.Files[:i], path) {
			report("files", "names %s twice", path)
		}
	}
}

// checkNames reports names of fields that cannot be.
func checkNames(fields []string, report func(key, format string, args ...any)) {
	if len(fields) == 0 {
		report("fields", "is empty: name the channels in the order of the file's last axis")
	}
	for i, f := range fields {
		if f == "" || slices.Contains(fields[:i], f) {
			report("fields", "names %q twice or not at all", f)
		}
	}
}

type npyLoad struct {
	NpyLoad
	mem  memory.Allocator
	plan []seedFile
	h, w int
	want func(seed int) bool // nil: every seed
}

// seedFile is a seed's files and the frames to take of them.
type seedFile struct {
	seedFiles
	seed   int
	split  frames.Split
	frames []int
}

// Open finds the files, reads their headers and splits the seeds.
func (l *npyLoad) Open(_ context.Context, env *pipeline.Env, _ pipeline.Meta) (pipeline.Meta, error) {
	l.mem = env.Mem
	if err := l.makePlan(env.Run.Overfit); err != nil {
		return pipeline.Meta{}, err
	}
	identity := sha256.New()
	var meta pipeline.Meta
	for i := range l.plan {
		if err := l.inspect(&l.plan[i]); err != nil {
			return pipeline.Meta{}, err
		}
		f := l.plan[i]
		meta.Announce(pipeline.Seed{Seed: f.seed, Frames: len(f.frames), Split: f.split})
		if err := identify(identity, f); err != nil {
			return pipeline.Meta{}, err
		}
	}
	meta.Channels, meta.H, meta.W, meta.Identity = l.Fields, l.h, l.w, hex.EncodeToString(identity.Sum(nil))
	return meta, nil
}

// makePlan says which files to read, and for which split.
func (l *npyLoad) makePlan(overfit bool) error {
	where := layout{root: l.Root, set: l.Set, pattern: l.Pattern, files: l.Files, fields: l.Fields}
	found, err := where.find()
	if err != nil {
		return err
	}
	seeds, err := chooseSeeds(slices.Sorted(maps.Keys(found)), l.Seeds, l.Split, where.String())
	if err != nil {
		return err
	}
	plan, err := splitSeeds(seeds, l.Splits, l.Split, overfit)
	if err != nil {
		return err
	}
	for _, p := range plan {
		files := found[p.seed]
		files.array = l.Array
		if err := where.checkFields(p.seed, files); err != nil {
			return err
		}
		l.plan = append(l.plan, seedFile{seedFiles: files, seed: p.seed, split: p.split})
	}
	return nil
}

// identify adds what changes when one of a seed's files does.
func identify(w io.Writer, f seedFile) error {
	for _, path := range f.paths() {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s %s %d %d %s %v\n", path, f.array, info.Size(), info.ModTime().UnixNano(), f.split, f.frames)
	}
	return nil
}

// inspect reads a seed's headers, and fills in the frames to take.
func (l *npyLoad) inspect(f *seedFile) error {
	n, err := f.shape(l.Fields, &l.h, &l.w)
	if err != nil {
		return err
	}
	f.frames, err = chooseFrames(n, l.Frames)
	if err != nil {
		return fmt.Errorf("%s: %w", f.paths()[0], err)
	}
	return nil
}

// shape is how many frames a seed has, of those fields and of the grid that the
// seeds before it have: h and w, 0 before the first.
func (f *seedFile) shape(fields []string, h, w *int) (int, error) {
	a, err := f.open()
	if err != nil {
		return 0, err
	}
	defer a.close()
	path := f.paths()[0]
	if a.c != len(fields) {
		return 0, fmt.Errorf("%s: %d channels, but fields names %d: %s", path, a.c, len(fields), strings.Join(fields, " "))
	}
	if *h == 0 {
		*h, *w = a.h, a.w
	}
	if a.h != *h || a.w != *w {
		return 0, fmt.Errorf("%s: grid %d x %d, but the seeds before it have %d x %d", path, a.h, a.w, *h, *w)
	}
	return a.f, nil
}

// chooseFrames is the wanted ones of n frames, in order; none wanted: all.
func chooseFrames(n int, wanted []int) ([]int, error) {
	var chosen []int
	for i := range n {
		if len(wanted) == 0 || slices.Contains(wanted, i) {
			chosen = append(chosen, i)
		}
	}
	for _, i := range wanted {
		if i < 0 || i >= n {
			return nil, fmt.Errorf("%d frames, but frame %d is asked for", n, i)
		}
	}
	return chosen, nil
}

// Pick leaves seeds out of what Emit sends.
func (l *npyLoad) Pick(want func(seed int) bool) { l.want = want }

// Emit sends the frames, seed by seed.
func (l *npyLoad) Emit(ctx context.Context, _ pipeline.Pass, send func(pipeline.Element) error) error {
	for _, f := range l.plan {
		if l.want != nil && !l.want(f.seed) {
			continue
		}
		if err := emitFile(ctx, l.mem, f, l.Fields, send); err != nil {
			return fmt.Errorf("seed %d: %w", f.seed, err)
		}
	}
	return nil
}

// emitFile sends a seed's frames, of those channels.
func emitFile(ctx context.Context, mem memory.Allocator, f seedFile, channels []string, send func(pipeline.Element) error) error {
	a, err := f.open()
	if err != nil {
		return err
	}
	defer a.close()
	for _, i := range f.frames {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		values, err := a.frame(mem, i)
		if err != nil {
			return err
		}
		origin := []frames.Origin{{Seed: f.seed, Frame: i, Split: f.split}}
		if err := send(frames.New(channels, a.h, a.w, origin, values, nil)); err != nil {
			return err
		}
	}
	return nil
}

// Close has nothing to free: files are closed by their last frame.
func (l *npyLoad) Close() error { return nil }
