package page

import (
	"bytes"
	"embed"
	"fmt"
	"strings"

	"fmsr.example/fmsr/internal/runview"
)

// View is all that a page shows.
type View struct {
	Title    string
	Subjects []*Subject
	Data     Data
	Picker   *Picker // of a served page; nil: a report

	Bars        []Bars
	Spectra     []Spectra
	Samples     []Samples
	Curves      []Plot
	MoreCurves  []Plot
	Tables      []Table
	Differences []runview.Difference
	Details     []Details
	Physics     []Physics
}

// Runs returns the names of the runs, one for each column of Differences.
func (v *View) Runs() (names []string) {
	for _, s := range v.Subjects {
		names = append(names, s.Name)
	}
	return names
}

// Meanings returns the sentence of each metric, where the tables have none.
func (v *View) Meanings() (all []Fact) {
	if len(v.Tables) != 1 {
		return nil
	}
	for _, m := range v.metrics() {
		name := m.Head
		if m.Unit != "1" {
			name += " (" + m.Unit + ")"
		}
		all = append(all, Fact{name, m.Doc})
	}
	return all
}

// Picker is the runs that a served page offers.
type Picker struct {
	Runs []Choice
	Note string // what could not be read
}

// Choice is a run in the picker.
type Choice struct {
	*runview.Run
	ID          string
	Chosen      bool
	Error, Band string // of the newest evaluation
}

// NewChoice returns a run for a picker.
func NewChoice(r *runview.Run, id string, chosen bool) Choice {
	c := Choice{Run: r, ID: id, Chosen: chosen, Error: "–", Band: "–"}
	record, err := r.Latest()
	if record == nil || err != nil {
		return c
	}
	model, _ := record.Best()
	if model == nil {
		return c
	}
	if v, ok := record.Value(model, "of_bilinear"); ok {
		c.Error = fmt.Sprintf("%.2f", v)
	}
	if v, ok := record.Value(model, "band"); ok {
		c.Band = fmt.Sprintf("%.0f%%", 100*v)
	}
	return c
}

// Served reports whether the page is served, and can ask for more.
func (v *View) Served() bool { return v.Picker != nil }

// Build makes the view of runs, whose logs are read. id returns the i-th run's name in
// addresses.
func Build(runs []*runview.Run, picker *Picker, id func(int) string, url Source) (*View, error) {
	v := &View{Picker: picker, Title: "fmsr"}
	var err error
	if v.Subjects, err = subjects(runs, id); err != nil {
		return nil, err
	}
	if v.Samples, err = v.samples(url); err != nil {
		return nil, err
	}
	var names []string
	for _, s := range v.Subjects {
		names = append(names, s.Name)
	}
	if len(names) > 0 {
		v.Title = strings.Join(names, ", ")
	}
	v.Bars, v.Spectra, v.Tables, v.Details = v.bars(), v.spectra(), v.tables(), v.details()
	v.Curves, v.MoreCurves = v.curves()
	if v.Physics, err = physics(runs); err != nil {
		return nil, err
	}
	if len(runs) > 1 {
		v.Differences = runview.DifferencesOf(runs)
	}
	return v, nil
}

// Report returns a file of HTML that holds all that it shows. The state of a run is that of
// this moment.
func Report(runs ...*runview.Run) ([]byte, error) {
	for _, r := range runs {
		if _, err := r.Refresh(); err != nil {
			return nil, err
		}
	}
	return report(runs)
}

// FinalReport is Report for a run that writes its own, as it ends: what holds the folder then
// is the run itself.
func FinalReport(r *runview.Run) ([]byte, error) {
	if _, err := r.Refresh(); err != nil {
		return nil, err
	}
	r.State.Holder = ""
	return report([]*runview.Run{r})
}

func report(runs []*runview.Run) ([]byte, error) {
	v, err := Build(runs, nil, func(int) string { return "" }, Inline)
	if err != nil {
		return nil, err
	}
	return v.HTML()
}

//go:embed page.html page.css page.js uplot/uPlot.iife.min.js uplot/uPlot.min.css
var files embed.FS

// Asset returns a file that a served page asks for, and its type; nil: there is none.
func Asset(name string) (data []byte, kind string) {
	switch name {
	case "page.css", "uplot/uPlot.min.css":
		kind = "text/css; charset=utf-8"
	case "page.js", "uplot/uPlot.iife.min.js":
		kind = "text/javascript; charset=utf-8"
	default:
		return nil, ""
	}
	data, _ = files.ReadFile(name)
	return data, kind
}

// HTML returns the page.
func (v *View) HTML() ([]byte, error) {
	var out bytes.Buffer
	err := pageTemplate.Execute(&out, v)
	return out.Bytes(), err
}

func text(name string) string {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(data)
}

// Scripts and styles of a report are part of it, and its policy names their hashes.
var (
	scripts = []string{text("uplot/uPlot.iife.min.js"), text("page.js")}
	styles  = []string{text("uplot/uPlot.min.css"), text("page.css")}
)
