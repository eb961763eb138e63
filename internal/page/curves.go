package page

import (
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/evaluate"
)

// Plot is a chart on the page, an index of Data.Charts.
type Plot struct {
	Chart int
	Title string
	Doc   string

	Drawing *Drawing
}

// curves adds the charts of the logs: those that most readers want, and the others.
func (v *View) curves() (first, more []Plot) {
	var charts []*Chart
	byTitle := map[string]*Chart{}
	for _, s := range v.Subjects {
		for _, name := range s.Metrics.Names {
			curve := s.Metrics.Of(name)
			if len(curve.Steps) < 2 && !strings.HasPrefix(name, "val/") {
				continue
			}
			title, series := v.placeOf(s, name)
			c := byTitle[title]
			if c == nil {
				c = &Chart{Title: title, X: "step", Y: title, Smooth: true, LogY: positive(curve.Values)}
				c.Doc, c.Right = v.meaning(s, title)
				byTitle[title] = c
				charts = append(charts, c)
			}
			x, y := thin(curve.Steps, curve.Values)
			series.X, series.Y = v.Data.axis(x), y
			c.LogY = c.LogY && positive(curve.Values)
			c.Series = append(c.Series, series)
		}
	}
	for _, c := range charts {
		c.LogY = c.LogY && logWorthy(c.Title)
		plot := v.Data.add(c)
		if v.wanted(c.Title) {
			first = append(first, plot)
		} else {
			more = append(more, plot)
		}
	}
	slices.SortStableFunc(first, func(a, b Plot) int { return rank(a.Title) - rank(b.Title) })
	return first, more
}

// titles of the charts that come first, in their order.
var titles = []string{"train/loss", "val/mse", "val/nmse", "val/band"}

// rank returns a title's place among them, that of its name without the source.
func rank(title string) int {
	for i, t := range titles {
		if title == t || strings.HasPrefix(title, t+"_") && !strings.Contains(strings.TrimPrefix(title, t), "/") {
			return i
		}
	}
	return len(titles)
}

// wanted reports whether a chart is among the first: of several runs, those of the sources
// that stand for them.
func (v *View) wanted(title string) bool {
	if rank(title) == len(titles) || len(v.Subjects) == 1 || title == titles[0] {
		return rank(title) < len(titles)
	}
	return slices.ContainsFunc(v.Subjects, func(s *Subject) bool {
		_, source := splitName(s.Record, title)
		return source != nil && source.Model && source.Suffix == s.model().Suffix
	})
}

// logWorthy reports whether a figure is read on a logarithmic axis at first.
func logWorthy(title string) bool {
	return strings.Contains(title, "loss") || strings.Contains(title, "mse")
}

// placeOf returns the chart of a figure and its curve there. One run has the sources of a
// metric in a chart; several runs have a chart for each figure.
func (v *View) placeOf(s *Subject, name string) (chart string, curve Series) {
	if len(v.Subjects) > 1 {
		return name, Series{Label: s.Name, Color: s.Color}
	}
	metric, source := splitName(s.Record, name)
	if source == nil {
		return name, Series{Label: name, Color: colorOf(string(evaluate.ODEEMA))}
	}
	return metric, Series{Label: source.Row, Color: colorOf(string(source.Key)), Dash: !source.Model}
}

// splitName splits "val/mse_ema/velx" into "val/mse/velx" and the source whose suffix is _ema;
// nil: the name is not of the record's metrics.
func splitName(r *evaluate.Record, name string) (string, *evaluate.RecordSource) {
	rest, ok := strings.CutPrefix(name, "val/")
	if r == nil || !ok {
		return name, nil
	}
	first, field, byField := strings.Cut(rest, "/")
	for _, m := range r.Metrics {
		for i := range r.Sources {
			if s := &r.Sources[i]; first == m.Name+s.Suffix {
				if byField {
					return "val/" + m.Name + "/" + field, s
				}
				return "val/" + m.Name, s
			}
		}
	}
	return name, nil
}

// meaning returns what a figure means, and its right value if it has one.
func (v *View) meaning(s *Subject, title string) (string, *float64) {
	if doc := trainingFigures[title]; doc != "" {
		return doc, nil
	}
	metric, source := splitName(s.Record, title)
	if source == nil {
		return "", nil
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(metric, "val/"), "/")
	for _, m := range s.Record.Metrics {
		if m.Name == name {
			return m.Doc, right(m)
		}
	}
	return "", nil
}

// right returns the value that a metric says is right.
func right(m evaluate.RecordMetric) *float64 {
	if !strings.Contains(m.Doc, "1 is right") {
		return nil
	}
	one := 1.0
	return &one
}

var trainingFigures = map[string]string{
	"train/loss":      "Mean training loss since the last line. Its level depends on the objective; less is better.",
	"train/grad_norm": "Mean norm of the gradient before clipping.",
	"train/lr":        "Learning rate.",
	"train/clipped":   "Share of steps whose gradient was clipped.",
	"train/skipped":   "Steps so far that were skipped, since their loss or gradient was not finite.",
}

func positive(values []float64) bool {
	return !slices.ContainsFunc(values, func(v float64) bool { return v <= 0 })
}
