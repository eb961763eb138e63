package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/dataset/exportset"
	"fmsr.example/fmsr/internal/dataset/guess"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/arrowtensor"
	"fmsr.example/fmsr/internal/format/hdf5"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/framecache"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/words"
)

// Thing is what is at a path.
type Thing struct {
	What   string // in some words
	Facts  []Fact
	Source *Source  // its frames; nil: it has none
	Next   []string // arguments of commands of fmsr's to try next
	close  func() error
}

// Fact is a line of what is known without reading values.
type Fact struct{ Name, Text string }

func (t *Thing) fact(name, format string, args ...any) {
	t.Facts = append(t.Facts, Fact{name, fmt.Sprintf(format, args...)})
}

// Close closes the files.
func (t *Thing) Close() error {
	if t.close == nil {
		return nil
	}
	return t.close()
}

// ErrUnknown is the error of a file of a kind that is not known here.
var ErrUnknown = errors.New("want npy, npz, HDF5, Arrow, Parquet or safetensors, a checkpoint, or a folder of frames, an export, a cache or a run")

// Open finds out what is at a path, but for checkpoints. Close it.
func Open(ctx context.Context, path string) (*Thing, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return openFolder(ctx, path)
	}
	start, err := Start(path)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(start, "\x93NUMPY") || strings.HasPrefix(start, "PK\x03\x04"):
		return openSet(ctx, path)
	case hdf5.Is(path):
		return openHDF5(path)
	case strings.HasPrefix(start, "ARROW1"):
		return openArrow(path)
	case strings.HasPrefix(start, "PAR1"):
		return openParquet(path)
	case len(start) > 10 && start[8:10] == `{"`:
		return openSafetensors(path)
	case filepath.Base(path) == exportset.ManifestName:
		return openExport(filepath.Dir(path))
	}
	if strings.HasPrefix(start, "Athena binary") {
		return nil, fmt.Errorf("%s: one file of AthenaK's may lack fields of its frame: want the run's folder", path)
	}
	return nil, fmt.Errorf("%s: it starts with %q: %w", path, start[:min(len(start), 8)], ErrUnknown)
}

// Start returns the first bytes of a file, which say of what kind it is.
func Start(path string) (string, error) {
	f, err := infile.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	start := make([]byte, 16)
	n, err := io.ReadFull(f, start)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return string(start[:n]), err
}

func openFolder(ctx context.Context, dir string) (*Thing, error) {
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	switch {
	case there(framecache.Index) && there(framecache.Frames):
		return openCache(dir)
	case there(exportset.ManifestName):
		return openExport(dir)
	case there(runview.SpecName):
		return openRun(dir)
	}
	return openSet(ctx, dir)
}

// openSet describes npy and npz files, and AthenaK's.
func openSet(ctx context.Context, path string) (*Thing, error) {
	s, err := guess.Look(ctx, path)
	if err != nil {
		return nil, err
	}
	src := OfSet(s)
	t := &Thing{What: "frames in npy or npz files", Source: &src}
	t.fact("layout", "%s, %s", s.Where(), atomicfile.Size(s.Bytes))
	switch {
	case s.Runs != nil:
		t.What = "frames in AthenaK's files"
	case s.DType == guess.HDF5:
		t.What = "frames in HDF5 files"
	default:
		t.fact("arrays", "%s", s.Arrays())
	}
	if s.Domain != nil {
		t.fact("domain", "%s", s.Domain)
	}
	t.frames(*t.Source)
	t.fact("runs", "%s", SeedsOf(s))
	for _, note := range s.Notes {
		t.fact("note", "%s", note)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		t.Next = []string{"init", path}
	}
	return t, nil
}

// SeedsOf describes the runs of a set.
func SeedsOf(s *guess.Set) string {
	least, most := len(s.Seeds[0].Frames), 0
	numbers := make([]int, len(s.Seeds))
	for i, seed := range s.Seeds {
		numbers[i] = seed.Seed
		least, most = min(least, len(seed.Frames)), max(most, len(seed.Frames))
	}
	text := fmt.Sprintf("%s, %s each", dataset.SeedList(numbers), words.Count(least, "frame"))
	if least != most {
		text = fmt.Sprintf("%s, %d to %d frames each", dataset.SeedList(numbers), least, most)
	}
	return strings.Replace(text, "seed ", "one, seed ", 1)
}

// frames adds what a source has.
func (t *Thing) frames(s Source) {
	t.fact("frames", "%d of %v cells", s.Frames, s.Grid)
	t.fact("fields", "%s", strings.Join(s.Fields, " "))
}

func openExport(dir string) (*Thing, error) {
	m, err := exportset.Read(filepath.Join(dir, exportset.ManifestName))
	if err != nil {
		return nil, err
	}
	t := &Thing{What: "an exported set, " + m.Format}
	bytes, splits := int64(0), map[string]int{}
	for _, f := range m.Files {
		bytes += f.Bytes
		splits[f.Split] += f.Rows
	}
	src := OfExport(dir, m)
	t.frames(src)
	t.fact("files", "%d, %s", len(m.Files), atomicfile.Size(bytes))
	t.fact("splits", "train %d, val %d, test %d frames", splits["train"], splits["val"], splits["test"])
	if m.Factor > 0 {
		t.fact("x_lo", "pooled by %d, interpolated back, edges %s", m.Factor, m.Boundary)
	}
	if m.Normalized {
		t.fact("values", "normalized: zero mean, unit deviation")
	}
	if m.Format == "arrow" {
		t.Source = &src
		t.Next = []string{"init", dir}
	}
	return t, nil
}

func openArrow(path string) (*Thing, error) {
	f, err := arrowtensor.Open(path)
	if err != nil {
		return nil, err
	}
	src := OfArrow(f)
	t := &Thing{What: "an Arrow file of an export", Source: &src, close: f.Close}
	t.frames(src)
	t.fact("columns", "%s", strings.Join(f.Columns, ", "))
	return t, nil
}

func openCache(dir string) (*Thing, error) {
	lock, c, err := framecache.Use(dir)
	if err != nil {
		return nil, fmt.Errorf("cache %s: %w", dir, err)
	}
	src := OfCache(dir, c)
	t := &Thing{What: "a cache of arrow_cache", Source: &src, close: lock.Close}
	t.frames(src)
	t.fact("bytes", "%s", atomicfile.Size(c.Bytes))
	return t, nil
}

// openRun describes a run's folder.
func openRun(dir string) (*Thing, error) {
	r, err := runview.Open(dir)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	t := &Thing{What: "a run's folder"}
	t.fact("run", "%s, %s", r.Name, r.State)
	t.fact("flow", "%s", strings.Join(r.Spec.Flow, " -> "))
	if a := r.About; a != nil {
		t.fact("fields", "%s", strings.Join(a.Fields, " "))
		t.fact("grid", "%s, pooled by %d", a.Grid, a.Factor)
		t.fact("frames", "train %d, val %d, test %d", a.Frames["train"], a.Frames["val"], a.Frames["test"])
		t.fact("made by", "fmsr %s on %s, %s", a.Version, a.Host, a.Device)
	}
	if step, err := r.Checkpoint(); err != nil {
		t.fact("checkpoint", "cannot be read: %v", err)
	} else if step > 0 {
		t.fact("checkpoint", "of step %d", step)
	}
	verdict, err := r.Verdict()
	if err != nil {
		return nil, err
	}
	if verdict != "" {
		t.fact("verdict", "%s", verdict)
	}
	t.Next = []string{"report", dir}
	return t, nil
}

// EdgesText describes the edges of the grid, as they look.
func (r *Report) EdgesText() string {
	words := [...]string{Unclear: "cannot be told", Periodic: "look periodic", NotPeriodic: "do not look periodic"}
	e := r.Edges()
	if e[0] == e[1] && e[0] != NotPeriodic {
		return "edges along y and x " + words[e[0]]
	}
	var texts []string
	for i, name := range []string{"y", "x"} {
		text := name + " " + words[e[i]]
		if e[i] == NotPeriodic {
			text += " (" + strings.Join(r.jumps(i), ", ") + ")"
		}
		texts = append(texts, "along "+text)
	}
	return "edges " + strings.Join(texts, ", ")
}

// jumps returns the fields that do not continue across the edges along an axis.
func (r *Report) jumps(axis int) (names []string) {
	for _, f := range r.Fields {
		if f.edge(f.axes[axis]) == NotPeriodic {
			names = append(names, f.Name)
		}
	}
	return names
}

// Of returns the plane (H,W) of a field in the first frame.
func (r *Report) Of(i int) (plane []float32, grid field.Grid) {
	n := r.Grid.Cells()
	return r.First[i*n:][:n], r.Grid
}
