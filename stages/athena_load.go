package stages

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/format/athenak"
	"fmsr.example/fmsr/pipeline"
)

// AthenaLoad reads frames from AthenaK's .bin files.
//
//	ROOT/run_0/bin/*.bin, ...       -- seed 0 ------------------ seed 1 --
//	                                [          athena_load           ]
//	frames (1,H,W,C), with time     -- frame 1 -- 2 -- 3 -- ... -- 1 -- 2 --
type AthenaLoad struct {
	Root    string      `yaml:"root" flag:"data-root" path:"file" doc:"AthenaK's run folder, or the folder that holds several" resume:"free"`
	Pattern string      `yaml:"pattern" doc:"the run folders below root, as seed_{seed} or mri256/*{seed}; {seed} stands for digits"`
	Runs    []string    `yaml:"runs" path:"file" doc:"instead of root: the run folders, as seeds 0, 1, ..."`
	Fields  []string    `yaml:"fields" doc:"the channels, in this order: variables by their new name, or by AthenaK's"`
	Rename  []string    `yaml:"rename" doc:"new names of AthenaK's variables, as dens=density"`
	Outputs []string    `yaml:"outputs" doc:"ids of the files to read, as [mhd_w_bcc, mhd_jz]; empty: those that have one of the fields"`
	Slice   AthenaSlice `yaml:"slice" doc:"the plane of a 3D run to read, as {axis: z, index: 12}"`
	Seeds   []int       `yaml:"seeds" doc:"seeds to read, 0-79 or a list; empty: all"`
	Frames  []int       `yaml:"frames" doc:"frames of each seed to read, by the number in their files' names, 0-99 or a list; empty: all"`
	Splitting
}

// AthenaSlice is a plane of a 3D run.
type AthenaSlice struct {
	Axis     string  `yaml:"axis" doc:"x, y or z, for AthenaK's x1, x2 or x3, which the plane is normal to; empty: the run is 2D"`
	Index    int     `yaml:"index" min:"-1" doc:"cell along the axis; -1: the one at position"`
	Position float64 `yaml:"position" doc:"position along the axis, in the run's unit of length, if index is -1"`
}

func init() {
	pipeline.Register(pipeline.Declaration[AthenaLoad]{
		Name: "athena_load",
		Doc: `Reads frames from AthenaK's .bin files.

	ROOT/run_0/bin/*.bin, ...       -- seed 0 ------------------ seed 1 --
	                                [          athena_load           ]
	frames (1,H,W,C), with time     -- frame 1 -- 2 -- 3 -- ... -- 1 -- 2 --

A seed is one run of AthenaK: its folder with bin/NAME.ID.NUMBER.bin, and
bin/rank_*/NAME.ID.NUMBER.bin if each rank wrote its own files. The first of these keys that
is set chooses the folders:

	runs      the listed folders, as seeds 0, 1, ...
	root      root itself, as seed 0, if it is a run's folder; otherwise the folders below
	          it that match pattern, by their number: *{seed} finds run7 and seed_0007

A frame is all files of one number. Fields may be spread over outputs, as those of
mhd_w_bcc and mhd_jz; the files of a number must be of one time. A variable that several
outputs hold is an error unless outputs chooses among them. The MeshBlocks of a file may be
many and in any order, float32 or float64; ghost cells are left out.

H is along x2 and W along x1. Of a 3D run slice chooses a plane: normal to y, H is along x3
and W along x1; normal to x, H is along x3 and W along x2. A plane that AthenaK itself has
written (slice_x3 in its <output>) needs no slice. Mesh refinement is refused.

The domain's box comes from the files. run.grid.box may say it too, but nothing else, and
run.grid.boundary must be that of the files, where all but periodic is open: the edges of
a shear_periodic axis do not match. The time and cycle of each frame go with it, to
spectra.parquet, physics.parquet, manifest.json and the titles of pictures.

Seeds and frames are split as npy_load's.`,
		Link: pipeline.Link{Adds: pipeline.Stored},
		Default: AthenaLoad{
			Pattern: "*{seed}", Fields: allFields(), Slice: AthenaSlice{Index: -1},
			Rename: slices.Clone(dataset.AthenaNames),
		},
		New: func(c *AthenaLoad) pipeline.Stage { return &athenaLoad{AthenaLoad: *c} },
	})
}

var (
	_ pipeline.Picker = (*athenaLoad)(nil)
	_ pipeline.Reader = (*athenaLoad)(nil)
)

// Validate reports keys that contradict each other.
func (c *AthenaLoad) Validate(run *pipeline.Run, report func(key, format string, args ...any)) {
	checkNames(c.Fields, report)
	c.check(run, report)
	if _, err := dataset.ParseFolder(c.Pattern); err != nil {
		report("pattern", "%v", err)
	}
	if c.Root != "" && len(c.Runs) > 0 {
		report("root", "is set as well as runs: want one of them")
	}
	for i, path := range c.Runs {
		if slices.Contains(c.Runs[:i], path) {
			report("runs", "names %s twice", path)
		}
	}
	c.checkRename(report)
	switch s := c.Slice; {
	case !strings.Contains("xyz", s.Axis) || len(s.Axis) > 1:
		report("slice.axis", "is %q: want x, y or z", s.Axis)
	case s.Axis == "" && (s.Index >= 0 || s.Position != 0):
		report("slice.axis", "is not set: want x, y or z, which the plane is normal to")
	case s.Index >= 0 && s.Position != 0:
		report("slice.position", "is set as well as index: want one of them")
	}
}

// checkRename reports what is not VARIABLE=NAME, and names and variables that are there twice.
func (c *AthenaLoad) checkRename(report func(key, format string, args ...any)) {
	seen := map[string]bool{}
	for _, text := range c.Rename {
		variable, name, ok := strings.Cut(text, "=")
		switch {
		case !ok || variable == "" || name == "":
			report("rename", "has %q: want VARIABLE=NAME, as dens=density", text)
		case seen[variable+"="] || seen[name]:
			report("rename", "is %v: want each variable and each name once", c.Rename)
			return // another would repeat this
		}
		seen[variable+"="], seen[name] = true, true
	}
}

// view returns what is read of the files.
func (c *AthenaLoad) view() dataset.View {
	return dataset.View{Variables: dataset.Variables(c.Fields, c.Rename), Outputs: c.Outputs, Slice: athenak.Slice(c.Slice)}
}

type athenaLoad struct {
	AthenaLoad
	seedSource
}

// Open finds the runs, reads the headers of their files and splits the seeds.
func (l *athenaLoad) Open(_ context.Context, env *pipeline.Env, _ pipeline.Meta) (pipeline.Meta, error) {
	runs := dataset.Runs{Root: l.Root, Pattern: l.Pattern, Folders: l.Runs}
	found, err := runs.Find()
	if err != nil {
		return pipeline.Meta{}, err
	}
	return l.open(env, seedChoice{
		place: runs.String(), found: slices.Sorted(maps.Keys(found)),
		fields: l.Fields, seeds: l.Seeds, frames: l.Frames, Splitting: l.Splitting,
		files: func(seed int) (dataset.Files, error) {
			files, err := dataset.RunFiles(found[seed], l.view(), l.Frames)
			if err != nil {
				err = fmt.Errorf("seed %d: %w", seed, err)
			}
			return files, err
		},
	})
}
