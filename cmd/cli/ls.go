package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/pipeline"
)

func lsCommand(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:     "ls [FOLDER...]",
		GroupID: aboutRuns,
		Short:   "List the runs in folders: step, state, error, age, size",
		Long: `ls lists the runs in folders, runs if none is named, at any depth:

  flow   train, or the last stage of a flow that does not train
  step   of the log's last line, of all steps
  error  of the model at the last evaluation, over the error of the bilinear input:
         less is better, and 1 is no better than interpolation
  age    since the run last wrote to its log
  size   of all files in its folder

It reads files alone, also those of runs that go on.`,
		Example: "  fmsr ls\n  fmsr ls runs /scratch/sweep",
		RunE: func(_ *cobra.Command, dirs []string) error {
			if len(dirs) == 0 {
				dirs = []string{"runs"}
			}
			tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(tw, "run\tflow\tstep\tstate\terror\tage\tsize")
			for _, dir := range dirs {
				if err := listRuns(tw, dir); err != nil {
					return &pipeline.InputError{Err: err}
				}
			}
			return tw.Flush()
		},
	}
}

// listRuns writes a line for each run in a folder.
func listRuns(w io.Writer, dir string) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such folder: fmsr ls FOLDER lists the runs in another one", dir)
	}
	if err != nil {
		return err
	}
	defer root.Close()
	found := runview.Find(root)
	if len(found) == 0 {
		return fmt.Errorf("%s: no runs: a run's folder has a spec.yaml", dir)
	}
	for _, below := range found {
		path := filepath.Join(dir, below)
		run, err := runview.OpenIn(root, below)
		if err != nil {
			fmt.Fprintf(w, "%s\tcannot be read: %v\n", path, err)
			continue
		}
		s := run.State
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", path, flowOf(run), stepOf(s), stateOf(s), errorOf(run), age(lastWrite(path, s)), atomicfile.Size(folderSize(path)))
		run.Close()
	}
	return nil
}

// flowOf names what a run does.
func flowOf(r *runview.Run) string {
	switch flow := r.Spec.Flow; {
	case slices.Contains(flow, "train"):
		return "train"
	case len(flow) > 0:
		return flow[len(flow)-1]
	}
	return "-"
}

func stepOf(s runview.State) string {
	if s.Total == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", s.Step, s.Total)
}

func stateOf(s runview.State) string {
	switch {
	case s.Running():
		return "running"
	case s.Ended():
		return "ended"
	case s.Total > 0:
		return "stopped"
	case s.Finished():
		return "finished"
	}
	return "-"
}

// errorOf returns the model's error over the bilinear input's, or a dash.
func errorOf(r *runview.Run) string {
	e, err := r.Latest()
	if e == nil || err != nil {
		return "-"
	}
	if model, _ := e.Best(); model != nil {
		if share, ok := e.Value(model, "of_bilinear"); ok {
			return fmt.Sprintf("%.3f", share)
		}
	}
	return "-"
}

// lastWrite returns when a run last wrote to its log or, without one, to its folder.
func lastWrite(dir string, s runview.State) time.Time {
	if info, err := os.Stat(dir); err == nil && s.Updated.IsZero() {
		return info.ModTime()
	}
	return s.Updated
}

// age returns the time since then in the unit that a person would choose.
func age(since time.Time) string {
	switch d := time.Since(since); {
	case since.IsZero():
		return "-"
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	default:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	}
}

// folderSize returns the bytes of the files in a folder.
func folderSize(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error { // what cannot be read counts nothing
		if err != nil || !e.Type().IsRegular() {
			return nil
		}
		if info, err := e.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total
}
