package sinks

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/evaluate/physics"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/words"
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

// title returns what the figures are of.
func (a aboutPhysics) title() string {
	title := fmt.Sprintf("%s; %s a frame, %s", madeBy(a.Objective, a.Constraints), words.Count(a.Samples, "sample"), words.Count(len(a.Files), "file"))
	if len(a.Files) > 1 {
		title += "; in brackets 90% intervals, by a bootstrap over the files"
	}
	return title
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
	shown := runview.Physics{Title: a.title()}
	names := []string{physicsName, physicsSummaryName, runview.PhysicsName, reportName}
	for _, r := range grids {
		summary := r.Summary(a.Resamples, a.Stream)
		t.grids = append(t.grids, gridTables{r.Grid.String(), r.Rows(), summary})
		shown.Tables = append(shown.Tables, r.Tables(summary, r.Grid.String())...)
		drawn, err := r.Pictures(summary)
		if err != nil {
			return err
		}
		for _, d := range drawn {
			d.Name += ", " + r.Grid.String()
			file := runview.PictureFile{Name: d.Name, File: physicsPicture(d.Name)}
			if err := writeWithin(filepath.Join(w.dir, file.File), d.PNG); err != nil {
				return err
			}
			shown.Pictures, names = append(shown.Pictures, file), append(names, file.File)
		}
	}
	for _, m := range physics.Meanings(shown.Tables) {
		shown.Metrics = append(shown.Metrics, runview.Meaning{Name: m.Label, Key: m.Key, Unit: m.Unit, Doc: m.Doc})
	}
	if err := t.write(w.dir); err != nil {
		return err
	}
	data, err := json.Marshal(shown)
	if err == nil {
		err = atomicfile.WriteFile(filepath.Join(w.dir, runview.PhysicsName), append(data, '\n'))
	}
	if err == nil {
		err = w.compareFirst()
	}
	if err != nil {
		return err
	}
	path, err := writeReport(w.dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(w.out, "physics   %s\nreport    %s\n", filepath.Join(w.dir, physicsName), path)
	return w.set.Summarize(w.records, names...)
}

// physicsPicture returns the file of a picture: images/physics/ and its name, without what
// is not a letter or a digit.
func physicsPicture(name string) string {
	return filepath.Join(runview.Images, "physics", strings.Trim(notPlain.ReplaceAllString(name, "-"), "-")+".png")
}

var notPlain = regexp.MustCompile("[^A-Za-z0-9]+")

// compareFirst makes the comparison, which the report shows too, if another run is only about
// to: its parts are all there.
func (w *whole) compareFirst() error {
	sets, err := parts.Find(w.dir)
	if err != nil {
		return err
	}
	for _, set := range sets {
		if set.Sink != "compare" {
			continue
		}
		records, missing, err := set.All(context.Background())
		if err != nil || missing > 0 || set.Summarized(context.Background(), records) {
			return err
		}
		return (&whole{dir: w.dir, set: set, records: records, out: io.Discard, note: w.note}).compare()
	}
	return nil
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
