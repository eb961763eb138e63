package sinks

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"regexp"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/metadata"
	"github.com/apache/arrow/go/v15/parquet/schema"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/pipeline"
)

// The report's files.
const (
	tableName   = "spectra.parquet"
	summaryName = "spectra_summary.parquet"
	pictureName = "spectra" // and the figure's format
)

// reportFiles returns the names of the report's files.
func reportFiles(format string) []string {
	return []string{tableName, summaryName, pictureName + "." + format, filepath.Join(runview.Evaluations, "0.json"), reportName}
}

// aboutSpectra is what a report is made of, besides the seeds' records.
type aboutSpectra struct {
	Fields  []string     `json:"fields"`
	Sources []sourceGrid `json:"sources"`
	Longest float64      `json:"longest"` // side of the box
	Spec    string       `json:"spec"`
	Factor  int          `json:"factor"`  // fine cells that pooling averaged along an axis; 0: there is no pooling
	Figures string       `json:"figures"` // format of the figure
}

type sourceGrid struct {
	Name string     `json:"name"`
	Grid field.Grid `json:"grid"`
}

func (s *spectraSink) about() aboutSpectra {
	a := aboutSpectra{Fields: s.in.Channels, Longest: max(s.in.Box[0], s.in.Box[1]), Spec: withoutFolder(s.env.Spec), Factor: s.in.Factor, Figures: s.Format}
	if a.Longest == 0 {
		a.Longest = 1
	}
	for _, src := range s.sources {
		a.Sources = append(a.Sources, sourceGrid{src.name, src.shells.Grid})
	}
	return a
}

// spectraTables makes the report from the seeds' records, in their order.
type spectraTables struct {
	dir     string
	fields  []string
	sources []powerSource
	longest float64 // side of the box
	factor  int
	figures FigureFormat
	about   metadata.KeyValueMetadata
	records []parts.Record
	seeds   []*seedPowers // without their values
}

// spectra makes the tables and the picture.
func (w *whole) spectra() error {
	t, err := w.tables()
	if err != nil {
		return err
	}
	if err := t.write(); err != nil {
		return err
	}
	if _, err := writeReport(w.dir); err != nil {
		return err
	}
	if err := w.set.Summarize(w.records, reportFiles(t.figures.Format)...); err != nil {
		return err
	}
	units := words.Count(len(w.records), "simulation")
	if w.set.Items[0].Split != "" {
		units = words.Count(len(w.records), "part") + " of simulations"
	}
	w.note("spectra   %s: %s, %s", filepath.Join(w.dir, tableName), units, words.Count(t.frames(), "frame"))
	return nil
}

func (w *whole) tables() (*spectraTables, error) {
	var a aboutSpectra
	if err := json.Unmarshal(w.set.About, &a); err != nil {
		return nil, fmt.Errorf("%s: what the report is made of: %w", w.dir, err)
	}
	t := &spectraTables{dir: w.dir, fields: a.Fields, longest: a.Longest, factor: a.Factor, figures: FigureFormat{a.Figures}, records: w.records}
	for _, src := range a.Sources {
		t.sources = append(t.sources, powerSource{src.Name, field.NewShells(src.Grid)})
	}
	var err error
	if t.about, err = aboutTable(a.Spec, w.set.Version); err != nil {
		return nil, err
	}
	for i, r := range w.records {
		var extra seedExtra
		err := json.Unmarshal(r.Extra, &extra)
		if want := w.set.Items[i].Frames; err == nil && (len(extra.Frames) != want || extra.Moments != nil && len(extra.Moments) != want) {
			err = fmt.Errorf("%d frames at %d times, want %d: remove the folder", len(extra.Frames), len(extra.Moments), want)
		}
		split, err2 := frames.ParseSplit(extra.Split)
		if err = cmp.Or(err, err2); err != nil {
			return nil, fmt.Errorf("%s: seed %d: record: %w", t.dir, r.Seed, err)
		}
		seed := pipeline.Seed{Seed: r.Seed, Frames: len(extra.Frames), Split: split, Cut: r.Split != ""}
		t.seeds = append(t.seeds, &seedPowers{seed: seed, sources: t.sources, fields: len(t.fields), frames: extra.Frames, moments: extra.Moments})
	}
	return t, nil
}

// aboutTable returns a table's metadata.
func aboutTable(spec, version string) (metadata.KeyValueMetadata, error) {
	about := metadata.NewKeyValueMetadata()
	for _, e := range [][2]string{{"fmsr.version", version}, {"fmsr.spec", spec}} {
		if err := about.Append(e[0], e[1]); err != nil {
			return nil, err
		}
	}
	return about, nil
}

var folderLine = regexp.MustCompile(`(?m)^  dir: .*\n`)

// withoutFolder returns the spec without run.dir, so that a report's bytes do not depend
// on its folder.
func withoutFolder(spec []byte) string {
	at := folderLine.FindIndex(spec) // run is above the flow
	if at == nil {
		return string(spec)
	}
	return string(spec[:at[0]]) + string(spec[at[1]:])
}

func (t *spectraTables) frames() (n int) {
	for _, s := range t.seeds {
		n += len(s.frames)
	}
	return n
}

// write makes the three files, the long table beside the others.
func (t *spectraTables) write() error {
	files := []func() error{t.writePowers, t.writeSummary}
	return parallel.Each(len(files), func(i int) error { return files[i]() })
}

// wavenumbers returns the wavenumbers of the largest grid's shells.
func (t *spectraTables) wavenumbers() []float64 {
	k := make([]float64, t.shells())
	for i := range k {
		k[i] = 2 * math.Pi * float64(i) / t.longest
	}
	return k
}

func (t *spectraTables) shells() (n int) {
	for _, s := range t.sources {
		n = max(n, s.shells.Len())
	}
	return n
}

func (t *spectraTables) sourceNames() (names []string) {
	for _, s := range t.sources {
		names = append(names, s.name)
	}
	return names
}

// writePowers writes the long table, a row group a seed.
func (t *spectraTables) writePowers() error {
	names := []string{"seed", "frame", "split", "field", "source", "k", "wavenumber", "power", timeColumn}
	kinds := []parquet.Type{parquet.Types.Int64, parquet.Types.Int32, parquet.Types.ByteArray, parquet.Types.ByteArray, parquet.Types.ByteArray,
		parquet.Types.Int32, parquet.Types.Double, parquet.Types.Double, parquet.Types.Double}
	return writeTable(filepath.Join(t.dir, tableName), names, kinds, []string{"power"}, t.about, func(w *tableWriter) error {
		var r tableRows
		var power []float64
		for i, empty := range t.seeds {
			seed := *empty // the summary reads the seeds too
			seed.values = make([]float64, seed.offset(len(t.sources), 0))
			if err := seed.read(t.dir, t.records[i], 0, seed.values); err != nil {
				return err
			}
			r.reset(5)
			power = power[:0]
			for n := range seed.frames {
				for field := range t.fields {
					for source, s := range t.sources {
						k := s.shells.Len()
						r.add(k, 0, n, field, source)
						power = append(power, seed.of(n, source, field)...)
					}
				}
			}
			w.group()
			w.dictionary(int64s(int64(seed.seed.Seed)), r.columns[0])
			w.dictionary(int32s(seed.frames...), r.columns[1])
			w.dictionary(texts(seed.seed.Split.String()), r.columns[0])
			w.dictionary(texts(t.fields...), r.columns[2])
			w.dictionary(texts(t.sourceNames()...), r.columns[3])
			w.dictionary(ascending(t.shells()), r.columns[4])
			w.dictionary(doubles(t.wavenumbers()), r.columns[4])
			w.plain(power)
			w.times(len(power), func(row int) frames.Moment { return seed.moment(int(r.columns[1][row])) })
			if err := w.endGroup(); err != nil {
				return err
			}
		}
		return nil
	})
}

// tableRows is columns of places in dictionaries.
type tableRows struct{ columns [][]int32 }

func (r *tableRows) reset(n int) {
	if r.columns == nil {
		r.columns = make([][]int32, n)
	}
	for i := range r.columns {
		r.columns[i] = r.columns[i][:0]
	}
}

// add appends a spectrum's rows: places that are the same for all, and last k.
func (r *tableRows) add(shells int, places ...int) {
	for i, p := range places {
		for range shells {
			r.columns[i] = append(r.columns[i], int32(p))
		}
	}
	last := &r.columns[len(places)]
	for k := range shells {
		*last = append(*last, int32(k))
	}
}

// tableWriter writes a Parquet file column by column. Columns of few values are
// given as a dictionary and places in it, which need no hashing.
type tableWriter struct {
	file *file.Writer
	rows file.SerialRowGroupWriter
	err  error
}

// timeColumn is the time of a row's frame, in the simulation's unit: the one column that may
// be null.
const timeColumn = "time"

// writeTable makes a file of these columns, whole or not at all.
func writeTable(path string, names []string, kinds []parquet.Type, plain []string, about metadata.KeyValueMetadata, body func(*tableWriter) error) error {
	if err := atomicfile.Sweep(path); err != nil {
		return err
	}
	out, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	var fields schema.FieldList
	for i, name := range names {
		repetition := parquet.Repetitions.Required
		if name == timeColumn {
			repetition = parquet.Repetitions.Optional
		}
		var logical schema.LogicalType = schema.NoLogicalType{}
		if kinds[i] == parquet.Types.ByteArray {
			logical = schema.StringLogicalType{}
		}
		node, err := schema.NewPrimitiveNodeLogical(name, repetition, logical, kinds[i], 0, -1)
		if err != nil {
			return fmt.Errorf("%s: column %s: %w", path, name, err)
		}
		fields = append(fields, node)
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	options := []parquet.WriterProperty{parquet.WithCreatedBy("fmsr"), parquet.WithBatchSize(1 << 16)}
	for _, name := range plain {
		options = append(options, parquet.WithDictionaryFor(name, false))
	}
	w := &tableWriter{file: file.NewParquetWriter(struct{ io.Writer }{out}, root,
		file.WithWriterProps(parquet.NewWriterProperties(options...)), file.WithWriteMetadata(about))}
	if err := body(w); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return out.Commit()
}

func (w *tableWriter) group() { w.rows = w.file.AppendRowGroup() }

func (w *tableWriter) endGroup() error {
	if w.err != nil {
		return w.err
	}
	return w.rows.Close()
}

// dictionary writes the next column: values[places[0]], values[places[1]], ...
func (w *tableWriter) dictionary(values arrow.Array, places []int32) {
	defer values.Release()
	w.column(func(c file.ColumnChunkWriter) error {
		encoder, ok := c.CurrentEncoder().(interface{ PutDictionary(arrow.Array) error })
		indexed, ok2 := c.(interface {
			WriteDictIndices(arrow.Array, []int16, []int16) error
		})
		if !ok || !ok2 {
			return fmt.Errorf("internal error: column %s takes no dictionary", c.Descr().Name())
		}
		if err := encoder.PutDictionary(values); err != nil {
			return err
		}
		if values.DataType().ID() != arrow.BINARY { // Arrow's statistics of it index out of range
			if err := c.PageStatistics().UpdateFromArrow(values, false); err != nil {
				return err
			}
		}
		data := array.NewData(arrow.PrimitiveTypes.Int32, len(places), []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(places))}, nil, 0, 0)
		defer data.Release()
		indices := array.NewInt32Data(data)
		defer indices.Release()
		return indexed.WriteDictIndices(indices, nil, nil)
	})
}

// plain writes the next column.
func (w *tableWriter) plain(values []float64) {
	w.column(func(c file.ColumnChunkWriter) error {
		_, err := c.(*file.Float64ColumnChunkWriter).WriteBatch(values, nil, nil)
		return err
	})
}

// times writes the next column, timeColumn, of n rows.
func (w *tableWriter) times(n int, of func(row int) frames.Moment) {
	levels, values := make([]int16, n), []float64(nil)
	for i := range levels {
		if at := of(i); at.Known {
			levels[i], values = 1, append(values, at.Time)
		}
	}
	w.column(func(c file.ColumnChunkWriter) error {
		_, err := c.(*file.Float64ColumnChunkWriter).WriteBatch(values, levels, nil)
		return err
	})
}

// column writes the next column; the first error is endGroup's.
func (w *tableWriter) column(write func(file.ColumnChunkWriter) error) {
	if w.err != nil {
		return
	}
	c, err := w.rows.NextColumn()
	if err == nil {
		err = write(c)
	}
	if err == nil {
		err = c.Close()
	}
	w.err = err
}

func int32s(values ...int) arrow.Array {
	b := array.NewInt32Builder(memory.DefaultAllocator)
	defer b.Release()
	for _, v := range values {
		b.Append(int32(v))
	}
	return b.NewArray()
}

func int64s(values ...int64) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.AppendValues(values, nil)
	return b.NewArray()
}

func ascending(n int) arrow.Array {
	values := make([]int, n)
	for i := range values {
		values[i] = i
	}
	return int32s(values...)
}

func texts(values ...string) arrow.Array {
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	defer b.Release()
	b.AppendStringValues(values, nil)
	return b.NewArray()
}

func doubles(values []float64) arrow.Array {
	b := array.NewFloat64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.AppendValues(values, nil)
	return b.NewArray()
}
