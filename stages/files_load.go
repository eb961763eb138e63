package stages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/pipeline"
)

// FilesLoad reads the frames of npy and npz files.
//
//	a.npy, b.npy (F,H,W,C)   -- a ------------------ b --
//	                         [        files_load        ]
//	frames (1,H,W,C)         -- frame 0 -- 1 -- 2 -- 0 --
type FilesLoad struct {
	Input   string   `yaml:"input" flag:"input" path:"file" doc:"an npy or npz file, a folder of them, or a glob pattern; or an HDF5 file, AthenaK's run folder, a folder of an npy file a field, or a folder of these"`
	Pattern string   `yaml:"pattern" flag:"pattern" doc:"the files below the folder input, as npy_load.pattern names them: {field}_{frame}.npy; each simulation counts as one file"`
	Axes    string   `yaml:"axes" flag:"axes" doc:"order of an array's axes, as npy_load.axes; empty: FHWC"`
	Fields  []string `yaml:"fields" flag:"fields" doc:"names of the files' channels, in order; a model takes its own from them; empty: the model's channels, or all that files of AthenaK, HDF5 and npz, or those of a file a field, name"`
}

func init() {
	pipeline.Register(pipeline.Declaration[FilesLoad]{
		Name: "files_load",
		Doc: `Reads the frames of npy and npz files of any grid.

	a.npy, b.npy (F,H,W,C)   -- a ------------------ b --
	                         [        files_load        ]
	frames (1,H,W,C)         -- frame 0 -- 1 -- 2 -- 0 --

A file is an array (frames, H, W, channels) of a type that npy_load reads, or one frame
(H, W, channels). An npz file may also hold an array (frames, H, W) for each field, under
its name; arrays of other shapes beside these, such as the times, are not read. Files whose
names start with a dot are not among those of a folder. A folder of an npy file (frames, H,
W), or (H, W), for each field counts as a file named like the folder. So does a run of AthenaK
(2D, see athena_load), whose frames keep the numbers of the run's files. Its fields are found
by name: dens is density, bcc1 to bcc3 are Bx to Bz. An HDF5 file of one trajectory (The Well,
athdf: see npy_load) gives its fields under their own names.

Other layouts are named by pattern and axes, as in npy_load: run_{seed}/{field}_{frame}.npy in
the folder input. Each simulation then counts as a file named like its folder, or like input
if the pattern has neither {seed} nor {run}. Without fields, {field} stands for any name.

Each file is a part of the work: with --shard I/N, N runs share the files.
The stage below is superres.`,
		Link: pipeline.Link{Adds: pipeline.Stored},
		New:  func(c *FilesLoad) pipeline.Stage { return &filesLoad{FilesLoad: *c} },
	})
}

var (
	_ pipeline.Picker = (*filesLoad)(nil)
	_ pipeline.Reader = (*filesLoad)(nil)
)

// Validate reports names that no fields may have.
func (c *FilesLoad) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if err := dataset.CheckNames(c.Fields); err != nil {
		report("fields", "%v", err)
	}
	in := c.inputs()
	in.Check(report)
}

func (c *FilesLoad) inputs() dataset.Inputs {
	return dataset.Inputs{Path: c.Input, Pattern: c.Pattern, Axes: c.Axes, Fields: c.Fields}
}

type filesLoad struct {
	FilesLoad
	seedFilter
	env   *pipeline.Env
	files []pipeline.File
	seeds []dataset.Seed // of the files
}

// Open finds the files and reads their headers.
func (l *filesLoad) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	l.env = env
	if l.Input == "" {
		return in, fmt.Errorf("input is not set: give an npy or npz file, a folder or a glob by --input")
	}
	inputs := l.inputs()
	paths, err := inputs.Find()
	if err != nil {
		return in, fmt.Errorf("input %w", err)
	}
	identity := sha256.New()
	for i, path := range paths {
		files, err := inputs.Open(path)
		if err != nil {
			return in, fmt.Errorf("input %w", err)
		}
		l.Fields = inputs.Fields
		seed := dataset.Seed{Files: files, Assignment: dataset.Assignment{Seed: i, Split: frames.Test}}
		lossy, err := l.measure(path, &seed)
		if err != nil {
			return in, err
		}
		in.Lossy.Add(lossy)
		l.seeds = append(l.seeds, seed)
		own := sha256.New()
		seed.Frames = nil // all, whatever their numbers
		seed.Identify(io.MultiWriter(identity, own))
		l.files[i].Identity = hex.EncodeToString(own.Sum(nil))
		in.Seeds = append(in.Seeds, pipeline.Seed{Seed: i, Frames: l.files[i].F, Split: seed.Split})
	}
	in.Files, in.Identity = l.files, hex.EncodeToString(identity.Sum(nil))
	if len(l.Fields) > 0 {
		in.Channels = l.Fields
	}
	return in, nil
}

// Reads returns the files.
func (l *filesLoad) Reads() (paths []string) {
	for _, s := range l.seeds {
		paths = append(paths, s.Paths()...)
	}
	return paths
}

// measure reads a file's header, and returns its lossy fields. Without names all fields are
// the model's, which cannot do without one.
func (l *filesLoad) measure(path string, s *dataset.Seed) (dataset.Lossy, error) {
	a, err := s.Open()
	if err != nil {
		return nil, err
	}
	defer a.Close()
	names := l.Fields
	if len(names) == 0 {
		for c := range a.C {
			names = append(names, fmt.Sprint(c))
		}
	}
	if len(names) != a.C {
		return nil, fmt.Errorf("%s: %s, but fields names %d: %s", s.Path, words.Count(a.C, "channel"), len(names), strings.Join(names, ", "))
	}
	run := dataset.Run{Grid: l.env.Run.Domain(0, 0)}
	if a.Domain != nil {
		if err := run.Settle(*a.Domain, s.Path); err != nil {
			return nil, err
		}
	}
	run.H, run.W = a.H, a.W
	s.Stamps, s.Frames = a.Stamps(), a.Numbers()
	l.files = append(l.files, pipeline.File{Path: path, F: a.F, C: a.C, Grid: run.Grid})
	if numbers := a.Numbers(); !slices.Equal(numbers, dataset.Numbers(a.F)) {
		l.files[len(l.files)-1].Numbers = numbers
	}
	lossy, err := a.Lossy(names)
	if err == nil && len(l.Fields) == 0 {
		err = lossy.Check(names)
	}
	return lossy, err
}

// Emit sends the frames, file by file.
func (l *filesLoad) Emit(ctx context.Context, _ pipeline.Pass, send func(pipeline.Element) error) error {
	for i, f := range l.files {
		if !l.wants(frames.Part{Seed: i}) {
			continue
		}
		names := l.Fields
		if len(names) == 0 {
			names = make([]string, f.C)
		}
		run, place := dataset.Run{Fields: names, Grid: f.Grid}, 0
		err := l.seeds[i].Emit(ctx, l.env.Mem, run, func(f *frames.Frames) error {
			f.Origins[0].Frame = place // in the file
			place++
			return send(f)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Close has nothing to free.
func (l *filesLoad) Close() error { return nil }
