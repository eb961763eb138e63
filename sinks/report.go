package sinks

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"fmsr/internal/evaluate"
	"fmsr/internal/frames"
	"fmsr/internal/store/atomicfile"
	"fmsr/model"
	"fmsr/pipeline"
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
		Doc: `Writes the last evaluation when a run ends: a table, and report.html with pictures.

	steps   -- 1 -- ... -- 300 + figures --
	        [ keeps the last evaluation    ] --> report.html, and a table at the end
	steps   -- 1 -- ... -- 300 ------------

The table has a row for each source (the bilinear input, the linear filter, the model)
and a column for each metric; report.html says what each metric means. With several
fields it holds means over the fields of metrics without a unit, and a table by field
follows for each metric.`,
		Link: pipeline.Link{Needs: pipeline.Steps | pipeline.Evaluated, Bystander: true},
		New:  func(*Report) pipeline.Stage { return &report{} },
	})
}

var (
	_ pipeline.Processor = (*report)(nil)
	_ pipeline.Flusher   = (*report)(nil)
	_ pipeline.Starter   = (*report)(nil)
	_ pipeline.Writer    = (*report)(nil)
)

type report struct {
	stepSink
	env     *pipeline.Env
	in      pipeline.Meta
	last    *evaluate.Evaluation
	scalars []evaluate.Scalar // of that step
	step    int
}

// Open keeps what the page needs.
func (r *report) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	r.env, r.in, r.on = env, in, r.keep
	return in, nil
}

// keep replaces the evaluation with a newer one.
func (r *report) keep(step *model.Step) error {
	r.last, r.step, r.scalars = step.Eval, step.N, scalars(step)
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
	if r.last == nil {
		return nil, nil // the run ended before the first evaluation
	}
	path := filepath.Join(r.env.Run.Dir, reportName)
	page, err := r.page()
	if err != nil {
		return nil, err
	}
	if err := atomicfile.WriteFile(path, page); err != nil {
		return nil, err
	}
	r.env.Progress.Done()
	printTables(r.env.Out, r.last.Figures.Tables(r.title()))
	fmt.Fprintf(r.env.Out, "%s\nreport    %s\npictures  %s\n", r.caution(), path, filepath.Join(r.env.Run.Dir, "images"))
	return nil, nil
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
	which := "validation"
	if r.env.Run.Overfit {
		which = "training"
	}
	return fmt.Sprintf("step %d, %d%s %s frames", r.step, r.last.Frames, of, which)
}

// caution returns a line about figures that are not of unseen frames, or nothing.
func (r *report) caution() string {
	if !r.env.Run.Overfit {
		return ""
	}
	return "run.overfit: the model was trained on the frames that it is judged by\n"
}

// page returns report.html, with the pictures inside.
func (r *report) page() ([]byte, error) {
	type shown struct {
		Name string
		URL  template.URL
	}
	var pictures []shown
	for _, p := range r.last.Pictures {
		pictures = append(pictures, shown{p.Name, template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(p.PNG))})
	}
	var page bytes.Buffer
	err := reportPage.Execute(&page, map[string]any{
		"Name": r.env.Run.Name, "Title": r.title(), "Caution": r.caution(), "Channels": r.in.Channels, "Tables": r.last.Figures.Tables(r.title()), "Metrics": r.last.Figures.Metrics(),
		"Pictures": pictures, "Scalars": r.scalars, "Spec": string(r.env.Spec), "Version": r.env.Version,
	})
	return page.Bytes(), err
}

var reportPage = template.Must(template.New("report").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Name}}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1a1a1a; }
table { border-collapse: collapse; margin-bottom: 1rem; } td, th { padding: .2rem 1rem; text-align: right; border-bottom: 1px solid #ddd; }
td:first-child, th:first-child { text-align: left; } img { max-width: 100%; }
dl { font-size: .85rem; } dt { font-weight: bold; } dd { margin: 0; } pre { background: #f6f6f6; padding: 1rem; overflow: auto; }
</style></head><body>
<h1>{{.Name}}</h1>
<p>{{.Title}}; {{range $i, $c := .Channels}}{{if $i}}, {{end}}{{$c}}{{end}}</p>
{{range .Tables}}<table><tr><th>{{.Title}}</th>{{range .Heads}}<th>{{.}}</th>{{end}}</tr>
{{range .Rows}}<tr><td>{{.Label}}</td>{{range .Cells}}<td>{{.}}</td>{{end}}</tr>
{{end}}</table>
{{end}}<p>{{.Caution}}</p>
<dl>{{range .Metrics}}<dt>{{.Head}}{{if ne .Unit "1"}} ({{.Unit}}){{end}}</dt><dd>{{.Doc}}</dd>
{{end}}</dl>
{{range .Pictures}}<h2>{{.Name}}</h2><img alt="{{.Name}}" src="{{.URL}}">
{{end}}
<h2>All figures</h2>
<table>{{range .Scalars}}<tr><td>{{.Name}}</td><td>{{printf "%.6g" .Value}}</td></tr>
{{end}}</table>
<h2>Spec</h2><pre>{{.Spec}}</pre><p>fmsr {{.Version}}</p>
</body></html>
`))
