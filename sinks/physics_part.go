package sinks

import (
	"encoding/gob"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"fmsr/internal/evaluate"
	"fmsr/internal/evaluate/physics"
	"fmsr/internal/store/atomicfile"
	"fmsr/internal/store/infile"
	"fmsr/internal/store/parts"
)

// commitPhysics writes the results of an input file and their record.
func commitPhysics(set *parts.Set, file int, part physics.Part) error {
	out, err := set.Create(set.DataName(file, ".physics"))
	if err != nil {
		return err
	}
	defer out.Close()
	if err := gob.NewEncoder(out).Encode(part); err != nil {
		return fmt.Errorf("%s: %w", out.Path(), err)
	}
	if err := out.Commit(); err != nil {
		return err
	}
	return set.Commit(parts.Record{Seed: file, Files: []parts.File{out.Entry(len(part.Rows))}})
}

// readPhysics reads what commitPhysics has written.
func readPhysics(dir string, record parts.Record) (part physics.Part, err error) {
	file, err := infile.Open(filepath.Join(dir, record.Files[0].Path))
	if err != nil {
		return part, err
	}
	defer file.Close()
	if err := gob.NewDecoder(file).Decode(&part); err != nil {
		return part, fmt.Errorf("%s: results of %s: %w", file.Name(), record.Of, err)
	}
	return part, nil
}

// aboutPhysics is what a physics report is made of, besides the files' records.
type aboutPhysics struct {
	Run         string   `json:"run"`
	Objective   string   `json:"objective"`
	Constraints string   `json:"constraints"`
	Spec        string   `json:"spec"`
	Files       []string `json:"files"`
	Fields      []string `json:"fields"`
	Factor      int      `json:"factor"`
	Samples     int      `json:"samples"`
	Resamples   int      `json:"resamples"`
	Stream      uint64   `json:"stream"` // of the bootstrap
}

// physics writes the tables and the report.
func (w *whole) physics() error {
	var a aboutPhysics
	if err := json.Unmarshal(w.set.About, &a); err != nil {
		return fmt.Errorf("%s: what the physics report is made of: %w", w.dir, err)
	}
	grids, err := w.measured(a)
	if err != nil {
		return err
	}
	t := physicsTables{run: a.Run, objective: a.Objective, constraints: a.Constraints, files: a.Files}
	if t.about, err = aboutTable(a.Spec, w.set.Version); err != nil {
		return err
	}
	report := newPage(a.Run, a.Spec, w.set.Version, a.Fields)
	report.Title = fmt.Sprintf("%s; %d samples a frame, %d files; 90%% intervals, by a bootstrap over the files, in brackets", madeBy(a.Objective, a.Constraints), a.Samples, len(a.Files))
	for _, m := range physics.Suite {
		report.Metrics = append(report.Metrics, explained{m.Name, m.Unit, m.Doc})
	}
	var pictures []evaluate.Picture
	for _, r := range grids {
		summary := r.Summary(a.Resamples, a.Stream)
		t.grids = append(t.grids, gridTables{r.Grid.String(), r.Rows(), summary})
		report.Tables = append(report.Tables, r.Tables(summary, r.Grid.String())...)
		drawn, err := r.Pictures(summary)
		if err != nil {
			return err
		}
		for _, d := range drawn {
			pictures = append(pictures, evaluate.Picture{Name: d.Name + ", " + r.Grid.String(), PNG: d.PNG})
		}
	}
	html, err := report.html(pictures)
	if err != nil {
		return err
	}
	if err := t.write(w.dir); err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(w.dir, reportName), html); err != nil {
		return err
	}
	fmt.Fprintf(w.out, "physics   %s\nreport    %s\n", filepath.Join(w.dir, physicsName), filepath.Join(w.dir, reportName))
	return w.set.Summarize(w.records, physicsName, physicsSummaryName, reportName)
}

// measured joins the results of the files, in their order: one for each grid.
func (w *whole) measured(a aboutPhysics) (grids []*physics.Results, err error) {
	for _, r := range w.records {
		part, err := readPhysics(w.dir, r)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(grids, func(g *physics.Results) bool { return g.Grid == part.Grid })
		if at < 0 {
			at = len(grids)
			grids = append(grids, physics.New(physics.NewLayout(part.Grid, a.Factor, a.Samples), physics.Suite, a.Fields, nil))
		}
		if err := grids[at].Join(r.Seed, part); err != nil {
			return nil, fmt.Errorf("%s: record of %s: %w", w.dir, r.Of, err)
		}
	}
	return grids, nil
}
