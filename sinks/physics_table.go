package sinks

import (
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/metadata"

	"fmsr.example/fmsr/internal/evaluate/physics"
	"fmsr.example/fmsr/internal/frames"
)

// physicsTables is the two tables of a physics report.
type physicsTables struct {
	run         string
	objective   string
	constraints string
	files       []string // names, by seed
	about       metadata.KeyValueMetadata
	grids       []gridTables
}

// gridTables is the rows of the frames on one grid.
type gridTables struct {
	grid    string
	rows    []physics.Row
	summary []physics.SummaryRow
}

// write writes the long table and the summary.
func (t *physicsTables) write(dir string) error {
	if err := writeColumns(filepath.Join(dir, physicsName), t.about, t.long()); err != nil {
		return err
	}
	return writeColumns(filepath.Join(dir, physicsSummaryName), t.about, t.short())
}

// long returns the columns of physics.parquet.
func (t *physicsTables) long() []column {
	run, objective, constraints, grid, file := newTexts("run"), newTexts("objective"), newTexts("constraints"), newTexts("grid"), newTexts("file")
	fields, metric, band, source := newTexts("field"), newTexts("metric"), newTexts("band"), newTexts("source")
	seed := newNumbers("seed", parquet.Types.Int64, func(v []int) arrow.Array { return int64s(widened(v)...) })
	frame, lag, member := newInt32s("frame"), newInt32s("lag"), newInt32s("member")
	x := newNumbers("x", parquet.Types.Double, doubles)
	value, time := &plainColumn{name: "value"}, &momentColumn{}
	for _, g := range t.grids {
		for _, r := range g.rows {
			run.add(t.run)
			objective.add(t.objective)
			constraints.add(t.constraints)
			grid.add(g.grid)
			seed.add(r.Run)
			file.add(t.files[r.Run])
			frame.add(r.Frame)
			fields.add(r.Fields)
			metric.add(r.Metric)
			band.add(r.Band)
			lag.add(r.Lag)
			x.add(r.X)
			source.add(string(r.Source))
			member.add(r.Member)
			value.add(r.Value)
			time.moments = append(time.moments, r.Moment)
		}
	}
	return []column{run, objective, constraints, grid, seed, file, frame, fields, metric, band, lag, x, source, member, value, time}
}

// short returns the columns of physics_summary.parquet.
func (t *physicsTables) short() []column {
	run, objective, constraints, grid := newTexts("run"), newTexts("objective"), newTexts("constraints"), newTexts("grid")
	fields, metric, band, source := newTexts("field"), newTexts("metric"), newTexts("band"), newTexts("source")
	lag, resamples := newInt32s("lag"), newInt32s("resamples")
	x := newNumbers("x", parquet.Types.Double, doubles)
	value, low, high := &plainColumn{name: "value"}, &plainColumn{name: "low"}, &plainColumn{name: "high"}
	for _, g := range t.grids {
		for _, r := range g.summary {
			run.add(t.run)
			objective.add(t.objective)
			constraints.add(t.constraints)
			grid.add(g.grid)
			fields.add(r.Fields)
			metric.add(r.Metric)
			band.add(r.Band)
			lag.add(r.Lag)
			x.add(r.X)
			source.add(string(r.Source))
			value.add(r.Value)
			low.add(r.Low)
			high.add(r.High)
			resamples.add(r.Resamples)
		}
	}
	return []column{run, objective, constraints, grid, fields, metric, band, lag, x, source, value, low, high, resamples}
}

// column is a column of a table that is written in one row group.
type column interface {
	head() (name string, kind parquet.Type, plain bool)
	write(w *tableWriter)
}

// writeColumns makes a file of these columns, whole or not at all.
func writeColumns(path string, about metadata.KeyValueMetadata, columns []column) error {
	var names, plains []string
	var kinds []parquet.Type
	for _, c := range columns {
		name, kind, plain := c.head()
		names, kinds = append(names, name), append(kinds, kind)
		if plain {
			plains = append(plains, name)
		}
	}
	return writeTable(path, names, kinds, plains, about, func(w *tableWriter) error {
		w.group()
		for _, c := range columns {
			c.write(w)
		}
		return w.endGroup()
	})
}

// repeated is a column of few values.
type repeated[T comparable] struct {
	name   string
	kind   parquet.Type
	array  func([]T) arrow.Array
	values []T
	index  map[T]int32
	places []int32
}

func newNumbers[T comparable](name string, kind parquet.Type, array func([]T) arrow.Array) *repeated[T] {
	return &repeated[T]{name: name, kind: kind, array: array, index: map[T]int32{}}
}

func newTexts(name string) *repeated[string] {
	return newNumbers(name, parquet.Types.ByteArray, func(v []string) arrow.Array { return texts(v...) })
}

func newInt32s(name string) *repeated[int] {
	return newNumbers(name, parquet.Types.Int32, func(v []int) arrow.Array { return int32s(v...) })
}

func (c *repeated[T]) add(v T) {
	place, ok := c.index[v]
	if !ok {
		place = int32(len(c.values))
		c.index[v] = place
		c.values = append(c.values, v)
	}
	c.places = append(c.places, place)
}

func (c *repeated[T]) head() (string, parquet.Type, bool) { return c.name, c.kind, false }
func (c *repeated[T]) write(w *tableWriter)               { w.dictionary(c.array(c.values), c.places) }

// plainColumn is a column of numbers that differ.
type plainColumn struct {
	name   string
	values []float64
}

func (c *plainColumn) add(v float64)                      { c.values = append(c.values, v) }
func (c *plainColumn) head() (string, parquet.Type, bool) { return c.name, parquet.Types.Double, true }
func (c *plainColumn) write(w *tableWriter)               { w.plain(slices.Clip(c.values)) }

// momentColumn is timeColumn.
type momentColumn struct{ moments []frames.Moment }

func (c *momentColumn) head() (string, parquet.Type, bool) {
	return timeColumn, parquet.Types.Double, false
}

func (c *momentColumn) write(w *tableWriter) {
	w.times(len(c.moments), func(row int) frames.Moment { return c.moments[row] })
}

func widened(values []int) (out []int64) {
	for _, v := range values {
		out = append(out, int64(v))
	}
	return out
}
