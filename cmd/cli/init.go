package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/dataset/exportset"
	"fmsr.example/fmsr/internal/dataset/guess"
	"fmsr.example/fmsr/internal/inspect"
	"fmsr.example/fmsr/internal/newspec"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/pipeline"
)

// initOptions are the flags of init.
type initOptions struct {
	to              string
	force, noTiming bool
}

func initCommand(out io.Writer) *cobra.Command {
	o := initOptions{to: "fmsr.yaml"}
	cmd := &cobra.Command{
		GroupID: aboutSpecs,
		Use:     "init DIR",
		Short:   "Write a spec for the frames in a folder",
		Long: `init looks at the files in a folder and in those below it, and writes a commented spec
that trains a small model on them: where the files are and what their names say (runs,
frames, fields), the order of the axes, grid, boundaries and split, and what networks of
three widths take: parameters, memory, and the time of a step on this machine.

DIR holds npy, npz or HDF5 files of any names and layout, or runs of AthenaK, or is an
exported set. What the files do not say, init asks on a terminal. Elsewhere it decides, and
the spec's comments say what. It reads a few frames of each set, and changes nothing in DIR.`,
		Example: `  fmsr init /data/turbulence
  fmsr init data --to my.yaml --no-timing
  fmsr init data --to -`,
		Args: usage(cobra.ExactArgs(1)),
	}
	cmd.Flags().StringVar(&o.to, "to", o.to, "the file to write; -: print the spec")
	cmd.Flags().BoolVar(&o.force, "force", false, "replace the file if it is there")
	cmd.Flags().BoolVar(&o.noTiming, "no-timing", false, "do not time training steps, which takes some seconds")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := os.Lstat(o.to); o.to != "-" && !o.force && !errors.Is(err, fs.ErrNotExist) {
			return &pipeline.InputError{Err: fmt.Errorf("%s is there already: give another file by --to, or replace it by --force", o.to)}
		}
		ask := newQuestions(cmd.InOrStdin(), out)
		if o.to == "-" {
			ask = nil
		}
		s, err := decide(cmd.Context(), args[0], o, ask)
		if err != nil {
			return failedOn(cmd.Context(), err)
		}
		return writeSpec(out, s, o)
	}
	return cmd
}

// decide finds out what is in a folder, and what a spec says of it.
func decide(ctx context.Context, dir string, o initOptions, ask *questions) (*newspec.Spec, error) {
	folder := ""
	if o.to != "-" {
		absolute, err := filepath.Abs(filepath.Dir(o.to))
		if err != nil {
			return nil, err
		}
		folder = absolute
	}
	data, src, err := dataIn(ctx, dir, folder)
	if err != nil {
		return nil, err
	}
	r, err := inspect.Measure(ctx, src, lookedAt)
	if err != nil {
		return nil, err
	}
	choices := choose(data, r)
	if err := ask.about(ctx, data, &choices); err != nil {
		return nil, err
	}
	s, err := newspec.New(data, choices, r.Odd())
	if err != nil {
		return nil, err
	}
	return s, size(ctx, s, !o.noTiming)
}

// lookedAt is how many frames are read.
const lookedAt = 16

// dataIn returns the source of a folder's frames.
func dataIn(ctx context.Context, dir, folder string) (newspec.Data, inspect.Source, error) {
	m, err := exportset.Read(filepath.Join(dir, exportset.ManifestName))
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) { // dir may be a file of frames
		if err != nil {
			return newspec.Data{}, inspect.Source{}, err
		}
		d, err := newspec.OfExport(dir, folder, m)
		return d, inspect.OfExport(dir, m), err
	}
	s, err := guess.Look(ctx, dir)
	if err != nil {
		return newspec.Data{}, inspect.Source{}, err
	}
	d, err := newspec.OfSet(s, folder)
	return d, inspect.OfSet(s), err
}

// choose decides what the files do not say, by a look at the frames.
func choose(d newspec.Data, r *inspect.Report) newspec.Choices {
	c := newspec.Choices{Names: d.Fields, Boundary: [2]string{"periodic", "periodic"}, BoundaryNote: r.EdgesText(), Left: map[string]string{}}
	for i, edge := range r.Edges() {
		if edge == inspect.NotPeriodic {
			c.Boundary[i] = "open"
		}
		if d.Bounded() {
			c.Boundary[i], c.BoundaryNote = d.Domain.Boundary[i].String(), "as the files say; "+r.EdgesText()
		}
	}
	for _, f := range r.Fields {
		switch {
		case d.Stage == "arrow_load": // which has no list of fields
		case f.NotFinite > 0:
			c.Left[f.Name] = "it has values that are not finite"
		case f.Constant():
			c.Left[f.Name] = "it is constant"
		}
	}
	return c
}

// writeSpec writes the spec, or prints it, and says what to do next.
func writeSpec(out io.Writer, s *newspec.Spec, o initOptions) error {
	text, err := s.Text()
	if err != nil {
		return err
	}
	if o.to == "-" {
		_, err := out.Write(text)
		return err
	}
	if _, err := pipeline.Parse(o.to, text, nil); err != nil {
		return &runFailed{error: fmt.Errorf("the spec for %s: %w", s.Dir, err)}
	}
	if err := os.MkdirAll(filepath.Dir(o.to), 0o777); err != nil {
		return &runFailed{error: err}
	}
	if err := atomicfile.WriteFile(o.to, text); err != nil {
		return &runFailed{error: err}
	}
	for _, line := range s.Found {
		fmt.Fprintln(out, line)
	}
	for _, line := range s.Odd {
		fmt.Fprintln(out, "odd:", line)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Left)) {
		fmt.Fprintf(out, "left out: %s, %s\n", name, s.Left[name])
	}
	if !s.Named && slices.Equal(s.Names, s.Fields) {
		fmt.Fprintf(out, "the fields' names are not known: fill them in, in %s\n", o.to)
	}
	fmt.Fprintf(out, "wrote %s\nnext: %s\n", o.to, shellCommand([]string{os.Args[0], "run", o.to}))
	return nil
}
