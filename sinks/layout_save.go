package sinks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/glob"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/pipeline"
)

// LayoutSave writes frames as the folders that npy_load reads.
//
//	frames (1,H,W,C)                           -- 0.0 -- 0.1 -- 1.0 -- 1.1 --
//	                                           [         layout_save        ]
//	DIR/SET/seed_NNNN/npy/all_fields_HxW.npy   ------------- 0 ---------- 1 -
type LayoutSave struct {
	Set string `yaml:"set" flag:"data-set" doc:"folder to make in the run's folder, with seed_NNNN/npy/ below it"`
}

func init() {
	pipeline.Register(pipeline.Declaration[LayoutSave]{
		Name: "layout_save",
		Doc: `Writes frames as the folders that npy_load reads.

	frames (1,H,W,C)                           -- 0.0 -- 0.1 -- 1.0 -- 1.1 --
	                                           [         layout_save        ]
	DIR/SET/seed_NNNN/npy/all_fields_HxW.npy   ------------- 0 ---------- 1 -

One array (frames, H, W, channels) a seed, float32. A file appears when its seed is
complete. Finished files are kept, so that a stopped run resumes with the missing
seeds. DIR/SET/source.json describes the source of the seeds. A folder with seeds of
another source is refused.`,
		Link:    pipeline.Link{Needs: pipeline.Stored, End: true, Once: true},
		Default: LayoutSave{Set: "mri256_nu3e-5"},
		New:     func(c *LayoutSave) pipeline.Stage { return &layoutSave{LayoutSave: *c} },
	})
}

var (
	_ pipeline.Processor = (*layoutSave)(nil)
	_ pipeline.Flusher   = (*layoutSave)(nil)
	_ pipeline.Keeper    = (*layoutSave)(nil)
	_ pipeline.Writer    = (*layoutSave)(nil)
)

// Validate reports a set that is not the name of a folder.
func (c *LayoutSave) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if !filepath.IsLocal(c.Set) || filepath.Clean(c.Set) == "." {
		report("set", "is %q: want a folder's name", c.Set)
	}
}

// layoutSource describes the source of a set, in its source.json.
type layoutSource struct {
	Identity string   `json:"identity"`
	Channels []string `json:"channels"`
	H        int      `json:"h"`
	W        int      `json:"w"`
}

type layoutSave struct {
	LayoutSave
	env      *pipeline.Env
	folder   string // DIR/SET
	source   layoutSource
	frames   map[int]int  // number of frames of each seed
	finished map[int]bool // seeds whose file is there
	seed     int          // the seed being written
	out      *npy.Writer  // its file; nil: no seed is begun
}

// Open refuses a folder with seeds that were made from something else, and finds the
// finished seeds.
func (l *layoutSave) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if len(in.Seeds) == 0 || in.Files != nil {
		return in, errors.New("there are no simulations: put npy_load or synth at the start")
	}
	if in.Seeds[0].Cut {
		return in, errors.New("a simulation's file has the frames of all its splits: leave split_time and split_frames out")
	}
	l.env, l.folder = env, filepath.Join(env.Run.Dir, l.Set)
	l.source = layoutSource{Identity: in.Identity, Channels: in.Channels, H: in.H, W: in.W}
	seeds, err := glob.In(l.folder, "seed_*")
	if err != nil {
		return in, err
	}
	if len(seeds) > 0 {
		if err := l.checkSource(filepath.Base(seeds[0])); err != nil {
			return in, err
		}
	}
	l.frames, l.finished = map[int]int{}, map[int]bool{}
	for _, s := range in.Seeds {
		l.frames[s.Seed] = s.Frames
	}
	for _, name := range seeds {
		var seed int
		if _, err := fmt.Sscanf(filepath.Base(name), "seed_%d", &seed); err != nil {
			continue
		}
		if f, err := npy.Open(l.path(seed)); err == nil && !env.Fresh { // whole, by its header
			l.finished[seed] = f.Shape[0] == l.frames[seed]
			f.Close()
		}
	}
	return in, nil
}

// Writes returns the set's folder.
func (l *layoutSave) Writes() []string { return []string{l.Set} }

// checkSource returns an error unless the set was made from the frames that will come.
func (l *layoutSave) checkSource(example string) error {
	foreign := fmt.Errorf("%s already holds %s, which was made from something else: give another folder by --out", l.folder, example)
	data, err := infile.ReadAll(l.sourcePath(), 1<<28)
	if errors.Is(err, fs.ErrNotExist) {
		return foreign
	}
	if err != nil {
		return err
	}
	var had layoutSource
	if err := json.Unmarshal(data, &had); err != nil || !reflect.DeepEqual(had, l.source) {
		return foreign
	}
	return nil
}

func (l *layoutSave) sourcePath() string { return filepath.Join(l.folder, "source.json") }

func (l *layoutSave) path(seed int) string {
	return filepath.Join(l.folder, fmt.Sprintf("seed_%04d", seed), "npy", fmt.Sprintf("all_fields_%dx%d.npy", l.source.H, l.source.W))
}

// Resume returns the finished seeds.
func (l *layoutSave) Resume(context.Context, string) (map[frames.Part]bool, error) {
	finished := map[frames.Part]bool{}
	for seed, is := range l.finished {
		finished[frames.Part{Seed: seed}] = is
	}
	return finished, nil
}

// Replaces is false: a seed of another source is refused.
func (l *layoutSave) Replaces() bool { return false }

// Process appends a frame to its seed's file, and finishes it with the last one.
func (l *layoutSave) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	f := in.(*frames.Frames)
	seed := f.Origins[0].Seed
	if l.out == nil {
		if l.finished[seed] {
			return nil, nil
		}
		if err := l.begin(seed, f); err != nil {
			return nil, err
		}
	}
	if seed != l.seed {
		return nil, fmt.Errorf("internal error: it comes before the end of seed %d", l.seed)
	}
	if err := l.out.Write(frames.Floats(f.Hi)); err != nil {
		return nil, err
	}
	if l.out.Whole() {
		return nil, l.finish()
	}
	return nil, nil
}

// begin starts a seed's file, and removes the leftovers of a killed run.
func (l *layoutSave) begin(seed int, f *frames.Frames) error {
	if err := l.saveSource(); err != nil {
		return err
	}
	path := l.path(seed)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	if err := atomicfile.Sweep(path); err != nil {
		return err
	}
	out, err := npy.Create(path, []int{l.frames[seed], f.H, f.W, len(f.Channels)})
	if err != nil {
		return err
	}
	l.out, l.seed = out, seed
	return nil
}

// saveSource writes source.json before there is a seed's folder: another run that shares
// the work refuses a folder of seeds without it.
func (l *layoutSave) saveSource() error {
	if err := os.MkdirAll(l.folder, 0o777); err != nil {
		return err
	}
	data, err := json.Marshal(l.source)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(l.sourcePath(), append(data, '\n'))
}

func (l *layoutSave) finish() error {
	if err := l.out.Commit(); err != nil {
		return err
	}
	l.out = nil
	l.finished[l.seed] = true
	return nil
}

// Flush returns an error if the last seed is not complete.
func (l *layoutSave) Flush(context.Context) ([]pipeline.Element, error) {
	if l.out != nil {
		if err := l.finish(); err != nil {
			return nil, err
		}
	}
	l.note()
	return nil, nil
}

// note says where the frames are, and how many seeds are still missing.
func (l *layoutSave) note() {
	seeds, count, bytes := 0, 0, int64(0)
	for seed, n := range l.frames {
		if info, err := os.Stat(l.path(seed)); err == nil && l.finished[seed] {
			seeds, count, bytes = seeds+1, count+n, bytes+info.Size()
		}
	}
	missing := ""
	if n := len(l.frames) - seeds; n > 0 {
		missing = fmt.Sprintf("; still missing: %s", words.Count(n, "simulation"))
	}
	l.env.Progress.Note("frames    %s: %s, %s, %s%s", l.folder, words.Count(seeds, "simulation"), words.Count(count, "frame"), atomicfile.Size(bytes), missing)
}

// Close removes an unfinished file and its folders.
func (l *layoutSave) Close() error {
	if l.out == nil {
		return nil
	}
	folder := filepath.Dir(l.path(l.seed))
	return errors.Join(l.out.Close(), os.Remove(folder), os.Remove(filepath.Dir(folder)))
}
