package stages

import (
	"context"
	"maps"
	"slices"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/pipeline"
)

// NpyLoad reads frames from npy, npz and HDF5 files.
//
//	files of seeds (F,H,W,C)        -- seed 0 ------------------ seed 1 --
//	                                [           npy_load             ]
//	frames (1,H,W,C), with origin   -- frame 0 -- 1 -- 2 -- ... -- 0 -- 1 --
type NpyLoad struct {
	Root    string   `yaml:"root" flag:"data-root" path:"file" doc:"folder that holds the run folders" resume:"free"`
	Set     string   `yaml:"set" flag:"data-set" doc:"run folder in root, with seed_NNNN/npy/*.npy below it"`
	Pattern string   `yaml:"pattern" doc:"instead of set: the files below root, as run_{seed}/fields.npy, {seed}_{field}.npy or {seed}/{frame}.npy"`
	Files   []string `yaml:"files" path:"file" doc:"instead of root and set: the files, as seeds 0, 1, ..."`
	Array   string   `yaml:"array" doc:"name of the array in npz files, or of the dataset in HDF5 files; empty: their only one, or an array for each of fields"`
	Axes    string   `yaml:"axes" doc:"order of an array's axes: F frames, H, W, C channels; FCHW: channels first"`
	Fields  []string `yaml:"fields" doc:"channel names, in the order of the file's channels"`
	Seeds   []int    `yaml:"seeds" doc:"simulations to read, by their seeds, 0-79 or a list; empty: all"`
	Frames  []int    `yaml:"frames" doc:"frames of each seed to read, 0-99 or a list; empty: all"`
	Splitting
}

// allFields are the fields of the reference runs, in their files' order.
func allFields() []string {
	return []string{"density", "velx", "vely", "velz", "Bx", "By", "Bz", "jz"}
}

func init() {
	pipeline.Register(pipeline.Declaration[NpyLoad]{
		Name: "npy_load",
		Doc: `Reads frames from npy, npz and HDF5 files.

	files of seeds (F,H,W,C)        -- seed 0 ------------------ seed 1 --
	                                [           npy_load             ]
	frames (1,H,W,C), with origin   -- frame 0 -- 1 -- 2 -- ... -- 0 -- 1 --

A seed is the number of a simulation. Its frames are one array (frames, H, W, channels), or
an array with the axes that the key axes gives, in C or Fortran order. The header gives the
grid. An npz file may also hold an array (frames, H, W) for each of fields, under its name.
The first of these keys that is set chooses the files:

	files     the listed files, as seeds 0, 1, ...
	pattern   the files below root that match. {seed} stands for the seed's digits, the
	          same number in several places; * and ? stand for any text in a name, but
	          for a dot at its start; * is as short as it can be. {field} stands for a
	          channel's name: each field then has its own file, (frames, H, W) or
	          (frames, H, W, 1). {frame} stands for a frame's number: each frame then has
	          its own file, (H, W, channels), or (H, W) with {field}. {run} stands for a
	          seed's name and {time} for a frame's time or date, any text: they are
	          numbered 0, 1, ... in their order. Without {seed} and {run} the files are
	          seed 0.
	set       ROOT/SET/seed_NNNN/npy/*.npy, one in each folder

Little-endian float32 is read as it is, also in an npz from numpy.savez. Other arrays are
converted frame by frame: big-endian, float64, float16, and numpy.savez_compressed.
channel_select refuses a float64 value beyond float32's range, and a float64 field that
varies so little beside its mean that float32 keeps fewer than three digits of the
variation. A compressed array is inflated as it is read, in pieces of 64 KiB, so that
damage shows only at its end, as that of an array in an npz from numpy.savez does if all
its frames are read in order. Integers, complex numbers and objects are refused. An array
whose frames are not contiguous (Fortran order, CFHW) takes a pass through the file for
each 64 MiB of frames. A file that is replaced, changed or truncated during the run ends
it with an error.

HDF5 files are read by libhdf5, which is loaded when it is needed: make hdf5 fetches it;
that of the system or of python3's h5py serves too, and FMSR_HDF5 names another. In The
Well's layout each trajectory of the files listed in files is a seed, and fields are its
fields of 2 dimensions, with components as the_well names them (velocity_x); x runs along
W. An athdf file is one frame, of variables by their names, without refinement: name the
files by pattern, with {frame}. Other HDF5 files have a dataset for each field beside each
other, as an npz file has arrays, or array is the path of one dataset. The times that The
Well's and athdf files hold go with the frames. The box that they say (the coordinates, or
RootGridX1 and X2) and the boundaries (boundary_conditions) are the domain's: run.grid may
say them too, but nothing else.

Seeds are split in order, 80/10/10. Of fewer than 100 seeds val and test get a tenth
each, and at least one seed each if there are three (of two, val gets one). With
split_time or split_frames every seed is cut in time instead: one long simulation is
enough. Of the frames that are read, split_time takes the first for train, then val,
then test, and leaves gap frames out between two splits. With run.overfit all frames of
the first seed are both the training and the validation split.`,
		Link:    pipeline.Link{Adds: pipeline.Stored},
		Default: NpyLoad{Set: "mri256_nu3e-5", Axes: dataset.Axes, Fields: allFields()},
		New:     func(c *NpyLoad) pipeline.Stage { return &npyLoad{NpyLoad: *c} },
	})
}

var (
	_ pipeline.Picker = (*npyLoad)(nil)
	_ pipeline.Reader = (*npyLoad)(nil)
)

// Validate reports keys that contradict each other.
func (c *NpyLoad) Validate(run *pipeline.Run, report func(key, format string, args ...any)) {
	checkNames(c.Fields, report)
	c.check(run, report)
	if err := dataset.CheckAxes(c.Axes); err != nil {
		report("axes", "%v", err)
	}
	if c.Pattern != "" {
		if _, err := dataset.ParsePattern(c.Pattern, c.Fields); err != nil {
			report("pattern", "%v", err)
		}
		if len(c.Files) > 0 {
			report("pattern", "is set as well as files: want one of them")
		}
	}
	if c.Root != "" && len(c.Files) > 0 {
		report("root", "is set as well as files, which do not use it: want one of them")
	}
	for i, path := range c.Files {
		if slices.Contains(c.Files[:i], path) {
			report("files", "names %s twice", path)
		}
	}
}

// checkNames reports missing and repeated names of fields, and names that no field may have.
func checkNames(fields []string, report func(key, format string, args ...any)) {
	if len(fields) == 0 {
		report("fields", "is empty: name the channels in the order of the file's last axis")
	}
	if err := dataset.CheckNames(fields); err != nil {
		report("fields", "%v", err)
	}
}

type npyLoad struct {
	NpyLoad
	seedSource
}

// Open finds the files, reads their headers and splits the seeds.
func (l *npyLoad) Open(_ context.Context, env *pipeline.Env, _ pipeline.Meta) (pipeline.Meta, error) {
	layout := dataset.Layout{Root: l.Root, Set: l.Set, Pattern: l.Pattern, Files: l.Files, Fields: l.Fields}
	found, err := layout.Find()
	if err != nil {
		return pipeline.Meta{}, err
	}
	return l.open(env, seedChoice{
		place: layout.String(), found: slices.Sorted(maps.Keys(found)),
		fields: l.Fields, seeds: l.Seeds, frames: l.Frames, Splitting: l.Splitting,
		files: func(seed int) (dataset.Files, error) {
			files := found[seed]
			files.Form = dataset.Form{Array: l.Array, Axes: l.Axes, Names: l.Fields}
			return files, layout.CheckFields(seed, files)
		},
	})
}
