package sinks

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/pipeline"
)

// comparedFile is the comparison of an input file. Its record holds the sums, and its file
// the fields that pictures show: the truth's (N,C,H,W), then each source's.
type comparedFile struct {
	Results *evaluate.Results `json:"results"`
	Columns []string          `json:"columns"` // labels of the shown frames
	Sources []evaluate.Source `json:"sources"` // of the shown fields
	shown   evaluate.Shown
}

// commit writes the file and its record.
func (p *comparedFile) commit(set *parts.Set, file int) error {
	p.Columns, p.Sources = p.shown.Columns, slices.Sorted(maps.Keys(p.shown.Made))
	out, err := set.Create(set.DataName(file, ".fields"))
	if err != nil {
		return err
	}
	defer out.Close()
	for _, values := range p.values() {
		if _, err := out.Write(frames.Bytes(values)); err != nil {
			return fmt.Errorf("%s: %w", out.Path(), err)
		}
	}
	if err := out.Commit(); err != nil {
		return err
	}
	extra, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return set.Commit(parts.Record{Seed: file, Files: []parts.File{out.Entry(len(p.Columns))}, Extra: extra})
}

// values returns the shown fields in the order of the file.
func (p *comparedFile) values() [][]float32 {
	all := [][]float32{p.shown.Truth}
	for _, src := range p.Sources {
		all = append(all, p.shown.Made[src])
	}
	return all
}

// readCompared reads what commit has written.
func readCompared(dir string, record parts.Record) (*comparedFile, error) {
	var p comparedFile
	if err := json.Unmarshal(record.Extra, &p); err != nil {
		return nil, fmt.Errorf("%s: record of %s: %w", dir, record.Of, err)
	}
	frame := len(p.Results.Fields) * p.Results.Grid.Cells()
	p.shown = evaluate.Shown{Columns: p.Columns, Truth: make([]float32, len(p.Columns)*frame), Made: map[evaluate.Source][]float32{}}
	for _, src := range p.Sources {
		p.shown.Made[src] = make([]float32, src.ShownValues(len(p.Columns), frame))
	}
	file, err := infile.Open(filepath.Join(dir, record.Files[0].Path))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for _, values := range p.values() {
		if _, err := io.ReadFull(file, frames.Bytes(values)); err != nil {
			return nil, fmt.Errorf("%s: %d frames of %s: %w", file.Name(), len(p.Columns), record.Of, err)
		}
	}
	return &p, nil
}

// aboutComparison is what a comparison is made of, besides the files' records.
type aboutComparison struct {
	Truth       string            `json:"truth"`
	Samples     int               `json:"samples"`
	Objective   string            `json:"objective"`
	Constraints string            `json:"constraints"`
	Factor      int               `json:"factor"`
	Fields      []string          `json:"fields"`
	Units       map[string]string `json:"units"`
	Figures     string            `json:"figures"`   // their format
	Maps        string            `json:"map_scale"` // of pictures
}

// compare prints the table, and writes comparison.json and the pictures.
func (w *whole) compare() error {
	var a aboutComparison
	if err := json.Unmarshal(w.set.About, &a); err != nil {
		return fmt.Errorf("%s: what the comparison is made of: %w", w.dir, err)
	}
	grids, err := w.compared(a)
	if err != nil {
		return err
	}
	all := comparisonFile{Truth: a.Truth, Samples: a.Samples, Objective: a.Objective, Constraints: a.Constraints}
	fmt.Fprintf(w.out, "\n%s\n", madeBy(a.Objective, a.Constraints))
	names := []string{comparisonName}
	if err := startSteps(filepath.Join(w.dir, runview.Evaluations), pipeline.Resume{}); err != nil {
		return err
	}
	for i, g := range grids {
		all.Grids = append(all.Grids, newGridResult(g))
		figures := g.Figures()
		printTables(w.out, figures.Tables(fmt.Sprintf("%s, %s", words.Count(g.Truth.Frames, "frame"), g.Grid)))
		fmt.Fprintln(w.out)
		for _, line := range otherTruth(figures) {
			w.note("warning: %s", line)
		}
		images := "images"
		if len(grids) > 1 {
			images = filepath.Join(images, fmt.Sprintf("%dx%d", g.Grid.H, g.Grid.W))
		}
		drawn, err := w.draw(g, images, a)
		if err != nil {
			return err
		}
		shown, err := w.show(i, g, a.Units)
		if err != nil {
			return err
		}
		names = append(append(names, drawn...), shown...)
	}
	data, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	path := filepath.Join(w.dir, comparisonName)
	if err := atomicfile.WriteFile(path, append(data, '\n')); err != nil {
		return err
	}
	fmt.Fprintf(w.out, "figures   %s\npictures  %s\n", path, filepath.Join(w.dir, "images"))
	return w.set.Summarize(w.records, names...)
}

// madeBy says what samples are of.
func madeBy(objective, constraints string) string {
	if constraints == "" {
		constraints = "none"
	}
	return fmt.Sprintf("objective %s; constraints: %s", objective, constraints)
}

// show writes what pages show of the i-th grid: its record and tiles. It returns their names.
func (w *whole) show(i int, g *evaluate.Comparison, units map[string]string) (names []string, err error) {
	name, err := writeRecord(w.dir, i, g.Record(func(field string) string { return units[field] }))
	if err != nil {
		return nil, err
	}
	names = append(names, name)
	tiles, err := g.Tiles()
	if err != nil {
		return nil, err
	}
	for _, t := range tiles {
		name := filepath.Join(runview.Images, filepath.FromSlash(t.Name), fmt.Sprintf("%d.png", i))
		if err := writeWithin(filepath.Join(w.dir, name), t.PNG); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// compared joins the comparisons of the files, in their order: one for each grid.
func (w *whole) compared(a aboutComparison) (grids []*evaluate.Comparison, err error) {
	for _, r := range w.records {
		p, err := readCompared(w.dir, r)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(grids, func(g *evaluate.Comparison) bool { return g.Grid == p.Results.Grid })
		if at < 0 {
			at = len(grids)
			grids = append(grids, evaluate.New(evaluate.Standard, a.Fields, p.Results.Grid, a.Factor, evaluate.Kernels{}))
		}
		if err := grids[at].Merge(p.Results, p.shown); err != nil {
			return nil, fmt.Errorf("%s: record of %s: %w", w.dir, r.Of, err)
		}
	}
	return grids, nil
}

// draw writes the pictures of a grid to a folder, and returns their names.
func (w *whole) draw(g *evaluate.Comparison, folder string, a aboutComparison) (names []string, err error) {
	pictures, err := g.Pictures(MapScale{a.Maps}.drawing(func(field string) string { return a.Units[field] }))
	if err != nil {
		return nil, err
	}
	for _, p := range pictures {
		path, err := FigureFormat{a.Figures}.save(filepath.Join(w.dir, folder, filepath.FromSlash(p.Name)), p)
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(w.dir, path)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}
