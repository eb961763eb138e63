package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/page"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// Report writes the last evaluation for a person to read.
//
//	steps   -- 1 -- ... -- 300 + figures --
//	        [ keeps the last evaluation    ] --> report.html, and a table at the end
//	steps   -- 1 -- ... -- 300 ------------
type Report struct{}

// reportName is the page's name in the run's folder.
const reportName = "report.html"

func init() {
	pipeline.Register(pipeline.Declaration[Report]{
		Name: "report",
		Doc: `Writes the last evaluation when a run ends: a table, and report.html.

	steps   -- 1 -- ... -- 300 + figures --
	        [ keeps the last evaluation    ] --> report.html, and a table at the end
	steps   -- 1 -- ... -- 300 ------------

The table has a row for each source (the bilinear input, the linear filter, the model)
and a column for each metric. With several fields it holds means over the fields of
metrics without a unit, and a table by field follows for each metric. report.html is one
file that shows what metrics and images, above, have written: the last evaluation in a
sentence, spectra, fields, curves, tables with the meaning of each metric, the spec, the
data and the machine. fmsr report writes it again, or of several runs.`,
		Link: pipeline.Link{Needs: pipeline.Steps | pipeline.Evaluated, Bystander: true},
		New:  func(*Report) pipeline.Stage { return &report{} },
	})
}

// AdviseFlow warns of a report that has nothing to show.
func (*Report) AdviseFlow(above []any, warn func(key, summary, detail string)) {
	if !slices.ContainsFunc(above, func(config any) bool { _, ok := config.(*Metrics); return ok }) {
		warn("", "has no figures to show: report.html is made of what metrics writes", "put metrics above it")
	}
}

var (
	_ pipeline.Processor = (*report)(nil)
	_ pipeline.Flusher   = (*report)(nil)
	_ pipeline.Starter   = (*report)(nil)
	_ pipeline.Writer    = (*report)(nil)
)

type report struct {
	stepSink
	env  *pipeline.Env
	in   pipeline.Meta
	last *evaluate.Evaluation
	step int
}

// Open keeps what the page needs.
func (r *report) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	r.env, r.in, r.on = env, in, r.keep
	return in, nil
}

// keep replaces the evaluation with a newer one.
func (r *report) keep(step *model.Step) error {
	r.last, r.step = step.Eval, step.N
	return nil
}

// Start removes the page of an earlier run, if the run starts over.
func (r *report) Start() error {
	if r.env.Resume.Here() {
		return nil
	}
	if err := os.Remove(filepath.Join(r.env.Run.Dir, reportName)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Writes returns the page.
func (r *report) Writes() []string { return []string{reportName} }

// Flush writes report.html and prints the table.
func (r *report) Flush(context.Context) ([]pipeline.Element, error) {
	if r.last == nil { // this run has not evaluated, though an earlier part of it may have
		r.noteVerdict()
		return nil, nil
	}
	path, err := writeReport(r.env.Run.Dir)
	if errors.Is(err, runview.ErrNoRun) || errors.Is(err, fs.ErrNotExist) {
		r.env.Progress.Note("no report: %v", err) // somebody has removed the folder, which the run's end says
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	printTables(r.env.Out, r.last.Figures.Tables(r.title()))
	fmt.Fprintf(r.env.Out, "%s\nreport    %s\npictures  %s\n", r.caution(), path, filepath.Join(r.env.Run.Dir, "images"))
	return nil, nil
}

// noteVerdict says what the last evaluation of the run found, if the folder has one.
func (r *report) noteVerdict() {
	run, err := runview.Open(r.env.Run.Dir)
	if err != nil {
		return // somebody has removed the folder, which the run's end says
	}
	defer run.Close()
	if verdict, err := run.Verdict(); err == nil && verdict != "" {
		r.env.Progress.Note("%s\nreport    %s", verdict, filepath.Join(r.env.Run.Dir, reportName))
	}
}

// printTables prints each table after an empty line.
func printTables(w io.Writer, tables []evaluate.Table) {
	for _, t := range tables {
		fmt.Fprintf(w, "\n%s", t)
	}
}

func (r *report) title() string {
	of := ""
	if all := r.in.Frames[frames.Val]; r.last.Frames < all {
		of = fmt.Sprintf(" of %d", all)
	}
	return fmt.Sprintf("step %d, %d%s %s frames", r.step, r.last.Frames, of, splitOf(r.env))
}

// caution returns a line about figures that are not of unseen frames, or nothing.
func (r *report) caution() string {
	if !r.env.Run.Overfit {
		return ""
	}
	return "run.overfit: the model was trained on the frames that it is judged by\n"
}

// writeReport writes the page of the run whose folder this is, and returns its path.
func writeReport(dir string) (string, error) {
	run, err := runview.Open(dir)
	if err != nil {
		return "", err
	}
	defer run.Close()
	html, err := page.FinalReport(run)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, reportName)
	return path, atomicfile.WriteFile(path, html)
}
