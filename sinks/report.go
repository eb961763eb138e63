package sinks

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"html/template"
	"path/filepath"
	"text/tabwriter"

	"fmsr/internal/frames"
	"fmsr/internal/store/atomicfile"
	"fmsr/model"
	"fmsr/pipeline"
)

// Report ends a run with what it learned, for a person.
//
//	steps   -- 1 -- ... -- 300 + figures --
//	        [ the last evaluation's rows   ] --> report.html, and a table at the end
//	steps   -- 1 -- ... -- 300 ------------
type Report struct{}

func init() {
	pipeline.Register(pipeline.Declaration[Report]{
		Name: "report",
		Doc: `Ends a run with what it learned: a table, and report.html with the pictures.

	steps   -- 1 -- ... -- 300 + figures --
	        [ the last evaluation's rows   ] --> report.html, and a table at the end
	steps   -- 1 -- ... -- 300 ------------

Rows: the bilinear input, the linear filter and the model, each with its mean
squared error and its power in the band that pooling lost, relative to the truth.`,
		Link: pipeline.Link{Needs: pipeline.Steps | pipeline.Evaluated, Bystander: true},
		New:  func(*Report) pipeline.Stage { return &report{} },
	})
}

var (
	_ pipeline.Processor = (*report)(nil)
	_ pipeline.Flusher   = (*report)(nil)
)

type report struct {
	env  *pipeline.Env
	in   pipeline.Meta
	last *model.Evaluation
	step int
}

// Open makes the folder.
func (r *report) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	r.env, r.in = env, in
	return in, env.MakeFolder()
}

// Process keeps the newest evaluation.
func (r *report) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	if step, ok := in.(*model.Step); ok && step.Eval != nil {
		r.last, r.step = step.Eval, step.N
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

// reportRow is one line of the table.
type reportRow struct {
	Label           string
	MSE, OfBilinear float64
	Band            float64
}

func (r *report) rows() []reportRow {
	lo, _ := r.last.Scalar("val/mse_lo")
	var rows []reportRow
	for _, src := range []source{sourceLo, sourceLinear, sourceRaw, sourceEMA, sourceSDE} {
		name := sourceNames[src]
		mse, ok := r.last.Scalar("val/mse" + name.suffix)
		if !ok {
			continue
		}
		band, _ := r.last.Scalar("val/band" + name.suffix)
		label := name.label
		if src >= sourceRaw {
			label = "model, " + label
		}
		rows = append(rows, reportRow{label, mse, mse / lo, band})
	}
	return rows
}

// Flush writes report.html and the table.
func (r *report) Flush(context.Context) ([]pipeline.Element, error) {
	if r.last == nil {
		return nil, nil // stopped before the first evaluation
	}
	path := filepath.Join(r.env.Run.Dir, "report.html")
	page, err := r.page()
	if err != nil {
		return nil, err
	}
	if err := atomicfile.WriteFile(path, page); err != nil {
		return nil, err
	}
	r.env.Progress.Done()
	var table bytes.Buffer
	tw := tabwriter.NewWriter(&table, 0, 0, 3, ' ', 0)
	fmt.Fprintf(tw, "%s\tMSE\tof bilinear\tpower in the lost band, of truth's\n", r.title())
	for _, row := range r.rows() {
		fmt.Fprintf(tw, "%s\t%.4g\t%.3f\t%.3f\n", row.Label, row.MSE, row.OfBilinear, row.Band)
	}
	tw.Flush()
	fmt.Fprintf(r.env.Out, "\n%s\nreport    %s\npictures  %s\n", table.String(), path, filepath.Join(r.env.Run.Dir, "images"))
	return nil, nil
}

func (r *report) title() string {
	return fmt.Sprintf("step %d, %d validation frames", r.step, r.in.Frames[frames.Val])
}

// page is report.html, pictures included.
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
		"Name": r.env.Run.Name, "Title": r.title(), "Channels": r.in.Channels, "Rows": r.rows(),
		"Pictures": pictures, "Scalars": r.last.Scalars, "Spec": string(r.env.Spec), "Version": r.env.Version,
	})
	return page.Bytes(), err
}

var reportPage = template.Must(template.New("report").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Name}}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1a1a1a; }
table { border-collapse: collapse; } td, th { padding: .2rem 1rem; text-align: right; border-bottom: 1px solid #ddd; }
td:first-child, th:first-child { text-align: left; } img { max-width: 100%; } pre { background: #f6f6f6; padding: 1rem; overflow: auto; }
</style></head><body>
<h1>{{.Name}}</h1>
<p>{{.Title}}; {{range $i, $c := .Channels}}{{if $i}}, {{end}}{{$c}}{{end}}</p>
<table><tr><th></th><th>MSE</th><th>of bilinear</th><th>power in the lost band, of truth's</th></tr>
{{range .Rows}}<tr><td>{{.Label}}</td><td>{{printf "%.4g" .MSE}}</td><td>{{printf "%.3f" .OfBilinear}}</td><td>{{printf "%.3f" .Band}}</td></tr>
{{end}}</table>
{{range .Pictures}}<h2>{{.Name}}</h2><img alt="{{.Name}}" src="{{.URL}}">
{{end}}
<h2>All figures</h2>
<table>{{range .Scalars}}<tr><td>{{.Name}}</td><td>{{printf "%.6g" .Value}}</td></tr>
{{end}}</table>
<h2>Spec</h2><pre>{{.Spec}}</pre><p>fmsr {{.Version}}</p>
</body></html>
`))

// Close has nothing to free.
func (r *report) Close() error { return nil }
