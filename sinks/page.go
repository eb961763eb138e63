package sinks

import (
	"bytes"
	"encoding/base64"
	"html/template"

	"fmsr/internal/evaluate"
)

// page is a report for a person to read, with its pictures inside.
type page struct {
	Name, Title, Caution string
	Channels             []string
	Tables               []evaluate.Table
	Metrics              []explained
	Pictures             []shown
	Scalars              []evaluate.Scalar
	Spec, Version        string
}

// explained is a metric's head in tables, its unit and its meaning.
type explained struct{ Head, Unit, Doc string }

type shown struct {
	Name string
	URL  template.URL
}

func newPage(name, spec, version string, channels []string) *page {
	return &page{Name: name, Channels: channels, Spec: spec, Version: version}
}

// html returns the page with these pictures.
func (p *page) html(pictures []evaluate.Picture) ([]byte, error) {
	for _, picture := range pictures {
		p.Pictures = append(p.Pictures, shown{picture.Name, template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(picture.PNG))})
	}
	var out bytes.Buffer
	err := reportPage.Execute(&out, p)
	return out.Bytes(), err
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
{{if .Scalars}}<h2>All figures</h2>
<table>{{range .Scalars}}<tr><td>{{.Name}}</td><td>{{printf "%.6g" .Value}}</td></tr>
{{end}}</table>
{{end}}<h2>Spec</h2><pre>{{.Spec}}</pre><p>fmsr {{.Version}}</p>
</body></html>
`))
