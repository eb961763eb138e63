package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"fmsr.example/fmsr/internal/inspect"
	"fmsr.example/fmsr/internal/picture"
	"fmsr.example/fmsr/internal/terminal"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

func inspectCommand(out io.Writer) *cobra.Command {
	var most int
	var show string
	cmd := &cobra.Command{
		GroupID: aboutFiles,
		Use:     "inspect PATH...",
		Short:   "Show what is in files or a folder, and what is odd about it",
		Long: `inspect says what a path is: its shape, fields, runs and frames. Of frames it shows the
statistics of each field, and what is odd: values that are not finite and where, constant
fields, frames with the same values, odd and even cells that are decoupled, edges that are
not periodic, axes that look transposed. On a terminal with colours it draws a frame.

PATH is an npy or npz file, an Arrow file or the folder of an export, a folder of frames in
any layout, AthenaK's runs, a cache of arrow_cache, a checkpoint, a run's folder, a Parquet table, or
weights (safetensors). It keeps one frame in memory, however many there are.`,
		Example: `  fmsr inspect data/run_3.npy
  fmsr inspect data --frames 100 --field Bx`,
		Args: usage(cobra.MinimumNArgs(1)),
	}
	cmd.Flags().IntVar(&most, "frames", 0, "measure so many frames, evenly spread; 0: all")
	cmd.Flags().StringVar(&show, "field", "", "the field to draw; empty: the first that varies")
	cmd.RunE = func(cmd *cobra.Command, paths []string) error {
		if most < 0 {
			return &pipeline.InputError{Err: fmt.Errorf("--frames %d: want the number of frames, or 0 for all", most)}
		}
		for i, path := range paths {
			if i > 0 {
				fmt.Fprintln(out)
			}
			if err := inspectPath(cmd.Context(), out, path, most, show); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// inspectPath prints what is at a path.
func inspectPath(ctx context.Context, out io.Writer, path string, most int, show string) error {
	t, err := openThing(ctx, path)
	if err != nil {
		return failedOn(ctx, err)
	}
	defer t.Close()
	fmt.Fprintf(out, "%s: %s\n", path, t.What)
	for _, f := range t.Facts {
		fmt.Fprintf(out, "  %-10s %s\n", f.Name, f.Text)
	}
	if t.Source != nil {
		r, err := inspect.Measure(ctx, *t.Source, most)
		if err != nil {
			return failedOn(ctx, err)
		}
		printReport(out, r)
		if err := draw(out, r, show); err != nil {
			return &pipeline.InputError{Err: err}
		}
	}
	if t.Next != nil {
		fmt.Fprintf(out, "next: %s\n", shellCommand(append([]string{os.Args[0]}, t.Next...)))
	}
	return nil
}

// failedOn is an error of reading, or of being stopped.
func failedOn(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &runFailed{error: context.Cause(ctx)}
	}
	return &pipeline.InputError{Err: err}
}

// openThing is inspect.Open for checkpoints too.
func openThing(ctx context.Context, path string) (*inspect.Thing, error) {
	t, err := inspect.Open(ctx, path)
	if err == nil || ctx.Err() != nil || !strings.HasSuffix(path, ".pt") && !errors.Is(err, inspect.ErrUnknown) {
		return t, err
	}
	if start, startErr := inspect.Start(path); startErr != nil || !strings.HasPrefix(start, "PK\x03\x04") {
		return nil, err
	}
	return openWeights(path)
}

// openWeights describes a checkpoint.
func openWeights(path string) (*inspect.Thing, error) {
	c, err := model.OpenCheckpoint(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	average := "the weights and their average"
	if !c.Averaged {
		average = "the weights, without an average"
	}
	t := &inspect.Thing{What: "a checkpoint", Next: []string{"run", "specs/superres.yaml", "--checkpoint", path, "--input", "COARSE", "--out", "FINE"}}
	t.Facts = []inspect.Fact{
		{Name: "step", Text: fmt.Sprint(c.Step)},
		{Name: "network", Text: fmt.Sprintf("%s, %d parameters, model_channels %d, channel_mult %v; %s", c.Config.Network, model.Count(c.Plan), c.Config.Channels, c.Config.Mult, average)},
		{Name: "objective", Text: fmt.Sprintf("%s, base_dist %s", c.Flow.Objective, c.Flow.Base)},
		{Name: "input", Text: fmt.Sprintf("pooled by %d", c.Input.Factor)},
	}
	for i, name := range c.Channels {
		t.Facts = append(t.Facts, inspect.Fact{Name: "field", Text: fmt.Sprintf("%s, normalized by mean %.6g and deviation %.6g", name, c.Stats.Mean[i], c.Stats.Std[i])})
	}
	if len(c.Unsaid) > 0 {
		t.Facts = append(t.Facts, inspect.Fact{Name: "unsaid", Text: "it does not say " + strings.Join(c.Unsaid, ", ")})
	}
	return t, nil
}

// printReport prints statistics by field, the edges, and what is odd.
func printReport(out io.Writer, r *inspect.Report) {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "field\tmean\tdeviation\tleast\tmost\tskewness\tkurtosis\t")
	for _, f := range r.Fields {
		fmt.Fprintf(w, "%s\t%.5g\t%.5g\t%.5g\t%.5g\t%.3g\t%.3g\t\n", terminal.Line(f.Name), f.Mean, f.Std(), f.Min, f.Max, f.Skewness(), f.Kurtosis())
	}
	w.Flush()
	fmt.Fprintf(out, "of %s; %s\n", words.Count(r.Frames, "frame"), r.EdgesText())
	odd := r.Odd()
	if len(odd) == 0 {
		fmt.Fprintln(out, "nothing odd was found")
	}
	for _, line := range odd {
		fmt.Fprintln(out, "odd:", line)
	}
}

// widest is how many cells of a picture are across.
const widest = 64

// draw draws a field of the first frame where a terminal shows colours.
func draw(out io.Writer, r *inspect.Report, show string) error {
	i := slices.IndexFunc(r.Fields, func(f inspect.Field) bool { return f.Name == show || show == "" && !f.Constant() })
	if i < 0 && show != "" {
		return fmt.Errorf("--field %s: no such field", show)
	}
	screen := terminal.Screen(out)
	if i < 0 || screen == nil || os.Getenv("NO_COLOR") != "" {
		return nil
	}
	columns := widest
	if w, _, err := term.GetSize(int(screen.Fd())); err == nil && w > 0 {
		columns = min(columns, w)
	}
	plane, grid := r.Of(i)
	f := r.Fields[i]
	diverging := f.Min < 0 && f.Max > 0 && math.Abs(f.Mean) < f.Std()
	text, err := picture.Blocks(picture.Field{H: grid.H, W: grid.W, Data: plane}, columns, diverging, trueColor())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s, %s, y upwards:\n", f.Name, r.Origin)
	_, err = io.WriteString(screen, text)
	return err
}

// trueColor reports whether the terminal says that it has 24-bit colours.
func trueColor() bool {
	return slices.Contains([]string{"truecolor", "24bit"}, os.Getenv("COLORTERM"))
}
