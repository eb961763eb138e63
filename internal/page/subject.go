package page

import (
	"fmt"
	"strings"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/runview"
)

// Subject is what a page is of: a training run with its newest evaluation, or the results of
// one grid that superres or spectra has left.
type Subject struct {
	*runview.Run
	Record *evaluate.Record // nil: none yet
	Name   string           // its own among the subjects
	ID     string           // in addresses
	Color  string
	step   int // of its tiles
}

// subjects returns what a page of these runs is of.
func subjects(runs []*runview.Run, id func(int) string) (all []*Subject, err error) {
	for i, r := range runs {
		steps := r.Steps
		if r.State.Total > 0 && len(steps) > 0 {
			steps = steps[len(steps)-1:]
		}
		if len(steps) == 0 {
			all = append(all, &Subject{Run: r, ID: id(i)})
		}
		for _, step := range steps {
			record, err := r.Record(step)
			if err != nil {
				return nil, err
			}
			all = append(all, &Subject{Run: r, Record: record, ID: id(i), step: step})
		}
	}
	nameApart(all)
	for i, s := range all {
		s.Color = fmt.Sprintf("run%d", i%runColors)
	}
	return all, nil
}

// runColors is how many colours page.css has for runs.
const runColors = 8

// nameApart names subjects by the run, then where that is not enough by the grid or the folder.
func nameApart(all []*Subject) {
	count := map[string]int{}
	for _, s := range all {
		s.Name = s.Run.Name
		if s.Record != nil && len(s.Steps) > 1 && s.State.Total == 0 {
			s.Name += ", " + s.Record.Grid.String()
		}
		count[s.Name]++
	}
	for _, s := range all {
		if count[s.Name] > 1 {
			s.Name += " (" + s.Dir + ")"
		}
	}
}

// Verdict is the record's, as a sentence.
func (s *Subject) Verdict() string {
	if s.Record == nil {
		return ""
	}
	text := s.Record.Verdict()
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// Caution says what a reader must know of the figures; empty: nothing.
func (s *Subject) Caution() string {
	if s.Record != nil && s.Record.Split == "training" {
		return "The model was trained on the frames that it is judged by (run.overfit)."
	}
	return ""
}

// Judged says which frames the figures are of.
func (s *Subject) Judged() string {
	if s.Record == nil || s.Record.Frames == 0 {
		return ""
	}
	text := fmt.Sprintf("%d", s.Record.Frames)
	if len(s.Record.Sources) > 0 {
		text = "Judged by " + text
	}
	if s.Record.Of > s.Record.Frames {
		text += fmt.Sprintf(" of %d", s.Record.Of)
	}
	if s.Record.Split != "" {
		text += " " + s.Record.Split
	}
	return text + " frames of " + s.Record.Grid.String() + " cells."
}

// model returns the source that stands for the subject among others; nil: there is none.
func (s *Subject) model() *evaluate.RecordSource {
	if s.Record == nil {
		return nil
	}
	model, _ := s.Record.Best()
	return model
}

// field returns the index of a field by its name, -1 if the subject has none of that name.
func (s *Subject) field(name string) int {
	if s.Record == nil {
		return -1
	}
	for i, f := range s.Record.Fields {
		if f.Name == name {
			return i
		}
	}
	return -1
}

// fieldNames returns the fields of all subjects, in order.
func fieldNames(all []*Subject) (names []string) {
	seen := map[string]bool{}
	for _, s := range all {
		if s.Record == nil {
			continue
		}
		for _, f := range s.Record.Fields {
			if !seen[f.Name] {
				seen[f.Name] = true
				names = append(names, f.Name)
			}
		}
	}
	return names
}
