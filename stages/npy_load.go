package stages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"fmsr/internal/frames"
	"fmsr/internal/npy"
	"fmsr/pipeline"
)

// NpyLoad reads frames from folders of npy files.
//
//	ROOT/SET/seed_NNNN/npy/*.npy (F,H,W,C)   -- seed 0 ------------------ seed 1 --
//	                                         [           npy_load             ]
//	frames (1,H,W,C), mapped, with origin    -- frame 0 -- 1 -- 2 -- ... -- 0 -- 1 --
type NpyLoad struct {
	Root   string           `yaml:"root" flag:"data-root" path:"file" doc:"folder that holds the run folders"`
	Set    string           `yaml:"set" flag:"data-set" doc:"run folder in root, with seed_NNNN/npy/*.npy below it"`
	Fields []string         `yaml:"fields" doc:"channel names, in the order of the file's last axis"`
	Seeds  []int            `yaml:"seeds" doc:"seeds to read, 0-79 or a list; empty: all that are there"`
	Frames []int            `yaml:"frames" doc:"frames of each file to read, 0-99 or a list; empty: all"`
	Splits []string         `yaml:"splits" doc:"splits to read: train, val, test; empty: all"`
	Split  map[string][]int `yaml:"split" doc:"seeds of each split; empty: the first 80% train, then 10% val, 10% test"`
}

func init() {
	pipeline.Register(pipeline.Declaration{
		Name: "npy_load",
		Doc: `Reads frames from npy files, memory-mapped.

	ROOT/SET/seed_NNNN/npy/*.npy (F,H,W,C)   -- seed 0 ------------------ seed 1 --
	                                         [           npy_load             ]
	frames (1,H,W,C), mapped, with origin    -- frame 0 -- 1 -- 2 -- ... -- 0 -- 1 --

Each seed_NNNN folder holds one npy file: float32, little-endian, C order,
(frames, H, W, channels). The header decides the grid. Seeds are split in order,
80/10/10; with fewer than 100, val and test get a tenth each (at least one seed,
once there are two and three). With run.overfit all frames of the first seed are
both the training and the validation split.`,
		Link: pipeline.Link{Source: true, Adds: pipeline.Stored},
		Config: func() any {
			return &NpyLoad{Set: "mri256_nu3e-5", Fields: []string{"density", "velx", "vely", "velz", "Bx", "By", "Bz", "jz"}}
		},
		New: func(config any) pipeline.Stage { return &npyLoad{NpyLoad: *config.(*NpyLoad)} },
	})
}

// Validate reports keys that cannot be.
func (c *NpyLoad) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if len(c.Fields) == 0 {
		report("fields", "is empty: name the channels in the order of the file's last axis")
	}
	for i, f := range c.Fields {
		if f == "" || slices.Contains(c.Fields[:i], f) {
			report("fields", "names %q twice or not at all", f)
		}
	}
	for _, s := range c.Splits {
		if _, err := frames.ParseSplit(s); err != nil {
			report("splits", "%v", err)
		}
	}
	owner := map[int]string{}
	for _, name := range sortedKeys(c.Split) {
		if _, err := frames.ParseSplit(name); err != nil {
			report("split", "%v", err)
		}
		for _, seed := range c.Split[name] {
			if other, ok := owner[seed]; ok && other != name {
				report("split", "puts seed %d into both %s and %s", seed, other, name)
			}
			owner[seed] = name
		}
	}
}

type npyLoad struct {
	NpyLoad
	plan []seedFile
	h, w int
	want func(seed int) bool // nil: every seed
}

// seedFile is a file to read and the frames to take of it.
type seedFile struct {
	path   string
	seed   int
	split  frames.Split
	frames []int
}

// Open finds the files, reads their headers and splits the seeds.
func (l *npyLoad) Open(_ context.Context, env *pipeline.Env, _ pipeline.Meta) (pipeline.Meta, error) {
	if l.Root == "" { // not Validate's: shipped specs leave it to the flag
		return pipeline.Meta{}, fmt.Errorf("root is not set: give the folder that holds %s by --data-root", l.Set)
	}
	found, err := l.find()
	if err != nil {
		return pipeline.Meta{}, err
	}
	seeds, err := l.choose(found)
	if err != nil {
		return pipeline.Meta{}, err
	}
	l.plan, err = l.assign(seeds, found, env.Run.Overfit)
	if err != nil {
		return pipeline.Meta{}, err
	}
	identity := sha256.New()
	counts := map[frames.Split]int{}
	var listed []pipeline.Seed
	for i := range l.plan {
		if err := l.inspect(&l.plan[i]); err != nil {
			return pipeline.Meta{}, err
		}
		f := l.plan[i]
		counts[f.split] += len(f.frames)
		listed = append(listed, pipeline.Seed{Seed: f.seed, Frames: len(f.frames), Split: f.split})
		info, err := os.Stat(f.path)
		if err != nil {
			return pipeline.Meta{}, err
		}
		fmt.Fprintf(identity, "%s %d %d %s\n", f.path, info.Size(), info.ModTime().UnixNano(), f.split)
	}
	return pipeline.Meta{
		Channels: l.Fields, H: l.h, W: l.w, Frames: counts, Seeds: listed,
		Identity: hex.EncodeToString(identity.Sum(nil)),
	}, nil
}

var seedFolder = regexp.MustCompile(`^seed_(\d+)$`)

// find maps the seeds that are there to their files.
func (l *npyLoad) find() (map[int]string, error) {
	folder := filepath.Join(l.Root, l.Set)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		if _, rootErr := os.Stat(l.Root); rootErr != nil {
			return nil, fmt.Errorf("root %s: no such folder", l.Root)
		}
		return nil, fmt.Errorf("root %s has no folder %s: it holds %s", l.Root, l.Set, listFolder(l.Root))
	}
	if err != nil {
		return nil, err
	}
	found := map[int]string{}
	for _, e := range entries {
		m := seedFolder.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		seed, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, fmt.Errorf("%s: seed %s: %w", folder, m[1], err)
		}
		files, err := filepath.Glob(filepath.Join(folder, e.Name(), "npy", "*.npy"))
		if err != nil {
			return nil, err
		}
		if len(files) != 1 {
			return nil, fmt.Errorf("%s: %d npy files, want one", filepath.Join(folder, e.Name(), "npy"), len(files))
		}
		found[seed] = files[0]
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no folder seed_NNNN there", folder)
	}
	return found, nil
}

// choose is the seeds to read, in order.
func (l *npyLoad) choose(found map[int]string) ([]int, error) {
	wanted := slices.Clone(l.Seeds)
	for _, seeds := range l.Split {
		for _, s := range seeds {
			if _, ok := found[s]; !ok {
				wanted = append(wanted, s) // named below as missing
			}
		}
	}
	for _, s := range wanted {
		if _, ok := found[s]; !ok {
			return nil, fmt.Errorf("seed %d is not in %s: it has %s", s, filepath.Join(l.Root, l.Set), seedList(sortedKeys(found)))
		}
	}
	if len(wanted) == 0 {
		wanted = sortedKeys(found)
	}
	sort.Ints(wanted)
	return slices.Compact(wanted), nil
}

// assign gives each seed its split.
func (l *npyLoad) assign(seeds []int, found map[int]string, overfit bool) ([]seedFile, error) {
	if overfit {
		path := found[seeds[0]]
		return []seedFile{{path: path, seed: seeds[0], split: frames.Val}, {path: path, seed: seeds[0], split: frames.Train}}, nil
	}
	var plan []seedFile
	for i, s := range seeds {
		split, ok := l.splitOf(s, i, len(seeds))
		if ok && (len(l.Splits) == 0 || slices.Contains(l.Splits, split.String())) {
			plan = append(plan, seedFile{path: found[s], seed: s, split: split})
		}
	}
	if len(plan) == 0 {
		return nil, fmt.Errorf("no seed of %s is in the wanted splits", seedList(seeds))
	}
	return plan, nil
}

// splitOf is the split of the i-th of n seeds: as the spec says, or in order.
func (l *npyLoad) splitOf(seed, i, n int) (frames.Split, bool) {
	for name, seeds := range l.Split {
		if slices.Contains(seeds, seed) {
			split, err := frames.ParseSplit(name)
			return split, err == nil
		}
	}
	if len(l.Split) > 0 {
		return 0, false
	}
	val, test := 0, 0
	if n >= 2 {
		val = max(1, n/10)
	}
	if n >= 3 {
		test = max(1, n/10)
	}
	switch {
	case i < n-val-test:
		return frames.Train, true
	case i < n-test:
		return frames.Val, true
	default:
		return frames.Test, true
	}
}

// inspect reads a file's header, and fills in the frames to take.
func (l *npyLoad) inspect(f *seedFile) error {
	file, err := npy.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	shape := file.Shape
	if len(shape) != 4 {
		return fmt.Errorf("%s: shape %v, want (frames, H, W, channels)", f.path, shape)
	}
	if shape[3] != len(l.Fields) {
		return fmt.Errorf("%s: %d channels, but fields names %d: %s", f.path, shape[3], len(l.Fields), strings.Join(l.Fields, " "))
	}
	if l.h == 0 {
		l.h, l.w = shape[1], shape[2]
	}
	if shape[1] != l.h || shape[2] != l.w {
		return fmt.Errorf("%s: grid %d x %d, but %s has %d x %d", f.path, shape[1], shape[2], l.plan[0].path, l.h, l.w)
	}
	for i := range shape[0] {
		if len(l.Frames) == 0 || slices.Contains(l.Frames, i) {
			f.frames = append(f.frames, i)
		}
	}
	for _, i := range l.Frames {
		if i >= shape[0] {
			return fmt.Errorf("%s: %d frames, but frame %d is asked for", f.path, shape[0], i)
		}
	}
	return nil
}

// Pick leaves seeds out of what Emit sends.
func (l *npyLoad) Pick(want func(seed int) bool) { l.want = want }

// Emit sends the frames, seed by seed, each a view of its mapped file.
func (l *npyLoad) Emit(ctx context.Context, _ pipeline.Pass, send func(pipeline.Element) error) error {
	for _, f := range l.plan {
		if l.want != nil && !l.want(f.seed) {
			continue
		}
		if err := emitFile(ctx, f, l.Fields, l.h, l.w, send); err != nil {
			return fmt.Errorf("seed %d: %w", f.seed, err)
		}
	}
	return nil
}

// emitFile sends frames of one file, of those channels and that grid.
func emitFile(ctx context.Context, f seedFile, channels []string, h, w int, send func(pipeline.Element) error) error {
	file, err := npy.Open(f.path)
	if err != nil {
		return err
	}
	// the file stays mapped until the last frame of it is released
	whole := frames.Foreign(frames.Bytes(file.Data()), func() { file.Close() })
	defer whole.Release()
	size := 4 * h * w * len(channels)
	for _, i := range f.frames {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		origin := []frames.Origin{{Seed: f.seed, Frame: i, Split: f.split}}
		if err := send(frames.New(channels, h, w, origin, frames.Slice(whole, i*size, size), nil)); err != nil {
			return err
		}
	}
	return nil
}

// Close has nothing to free: files are closed by their last frame.
func (l *npyLoad) Close() error { return nil }

func listFolder(path string) string {
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) == 0 {
		return "nothing"
	}
	var names []string
	for _, e := range entries {
		if len(names) == 8 {
			names = append(names, "...")
			break
		}
		names = append(names, e.Name())
	}
	return strings.Join(names, ", ")
}

func seedList(seeds []int) string {
	if len(seeds) == 1 {
		return fmt.Sprintf("seed %d", seeds[0])
	}
	return fmt.Sprintf("%d seeds, %d to %d", len(seeds), seeds[0], seeds[len(seeds)-1])
}

func sortedKeys[K int | string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
