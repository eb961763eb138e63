package sinks_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

	"fmsr.example/fmsr/internal/dataset/exportset"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/rng"
	"fmsr.example/fmsr/pipeline"
)

const spectraSpec = `
version: 1
run: {name: spectra, overfit: false}
flow:
  - npy_load: {set: set, fields: [%s]}
  - channel_select: {channels: %s}
  - pool_upsample:
%s  - spectra:
`

// spectraInput writes seeds of random frames, (F,H,W,C), and returns their values.
func spectraInput(t testing.TB, root string, seeds, n, h, w, c int) [][]float32 {
	t.Helper()
	return spectraSet(t, root, "set", seeds, n, h, w, c)
}

func spectraSet(t testing.TB, root, set string, seeds, n, h, w, c int) [][]float32 {
	t.Helper()
	var all [][]float32
	for seed := range seeds {
		values := make([]float32, n*h*w*c)
		for i := range values {
			values[i] = float32(i%c) + float32(rng.Normal(uint64(seed), uint64(i)))
		}
		dir := filepath.Join(root, set, fmt.Sprintf("seed_%04d", seed), "npy")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := npy.WriteFile(filepath.Join(dir, "f.npy"), []int{n, h, w, c}, values); err != nil {
			t.Fatal(err)
		}
		all = append(all, values)
	}
	return all
}

// report runs a spec and fails on any buffer that is left.
func report(t testing.TB, text, root, dir string) {
	t.Helper()
	pool := frames.NewPool()
	mem := memory.NewCheckedAllocator(pool)
	spec, err := pipeline.Parse("spectra.yaml", []byte(text), []pipeline.Override{
		{Path: "npy_load.root|pair_load.root", Value: root, Flag: "--data-root"}, {Path: "run.dir", Value: dir, Flag: "--out"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := pipeline.Execute(context.Background(), spec, pipeline.Options{Out: &strings.Builder{}, Cache: t.TempDir(), Mem: mem}); err != nil {
		t.Fatal(err)
	}
	if n := pool.InUse(); n != 0 {
		t.Errorf("%d bytes of frames left", n)
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
}

func readTable(t *testing.T, path string) arrow.Table {
	t.Helper()
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if spec := f.MetaData().KeyValueMetadata().FindValue("fmsr.spec"); spec == nil || strings.Contains(*spec, "\n  dir:") || !strings.Contains(*spec, "_load:") {
		t.Errorf("%s: the spec in its metadata is %v", path, spec)
	}
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := r.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func columnOf[T any](t *testing.T, table arrow.Table, name string) (out []T) {
	t.Helper()
	at := table.Schema().FieldIndices(name)
	if len(at) != 1 {
		t.Fatalf("%d columns %s", len(at), name)
	}
	for _, chunk := range table.Column(at[0]).Data().Chunks() {
		for i := range chunk.Len() {
			var v any
			switch a := chunk.(type) {
			case *array.Int32:
				v = a.Value(i)
			case *array.Int64:
				v = a.Value(i)
			case *array.Float64:
				v = a.Value(i)
			case *array.String:
				v = a.Value(i)
			default:
				t.Fatalf("column %s is %T", name, chunk)
			}
			out = append(out, v.(T))
		}
	}
	return out
}

// TestSpectraReport reads the tables back: every row is there in order, powers
// are those of the frames and sum to the mean square, quantiles are the powers'.
func TestSpectraReport(t *testing.T) {
	const seeds, n, h, w = 3, 5, 16, 12
	root := t.TempDir()
	values := spectraInput(t, root, seeds, n, h, w, 3)
	for what, how := range map[string]struct{ above, channels string }{"fused": {"", "[c, a]"}, "normalized": {"  - normalize:\n", "[c, a]"}} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			report(t, fmt.Sprintf(spectraSpec, "a, b, c", how.channels, how.above), root, dir)
			table := readTable(t, filepath.Join(dir, "spectra.parquet"))
			defer table.Release()
			power := columnOf[float64](t, table, "power")
			rows := rowsOf(t, table)
			hi := field.NewShells(field.Grid{H: h, W: w})
			splits := []string{"train", "val", "test"}
			per := map[string][]float64{}
			at := 0
			for seed := range seeds {
				for frame := range n {
					for _, c := range []int{2, 0} {
						plane, square := make([]float64, h*w), 0.0
						mean, std := 0.0, 1.0
						if what == "normalized" {
							mean, std = momentsOf(values[0], c, 3)
						}
						for i := range plane {
							plane[i] = (float64(values[seed][(frame*h*w+i)*3+c]) - mean) / std
							square += plane[i] * plane[i] / float64(h*w)
						}
						coarse := make([]float64, h/2*w/2)
						for i, v := range plane {
							coarse[i/w/2*(w/2)+i%w/2] += v / 4
						}
						for _, src := range []struct {
							name   string
							shells *field.Shells
							plane  []float64
						}{{"hi", hi, plane}, {"lo", field.NewShells(hi.Coarser(2)), coarse}} {
							sum := 0.0
							for k, want := range powerOf(src.shells, src.plane) {
								key := fmt.Sprintf("%d %d %s %c %s %d %.6f", seed, frame, splits[seed], 'a'+c, src.name, k, 2*math.Pi*float64(k))
								if rows[at] != key || math.Abs(power[at]-want) > 1e-6*square {
									t.Fatalf("row %d is %q, %g, want %q, %g", at, rows[at], power[at], key, want)
								}
								id := fmt.Sprintf("%s %c %s %d", splits[seed], 'a'+c, src.name, k)
								per[id] = append(per[id], power[at])
								sum += power[at]
								at++
							}
							if src.name == "hi" && math.Abs(sum-square) > 1e-6*square {
								t.Errorf("seed %d, frame %d, channel %d: the powers sum to %g, want %g", seed, frame, c, sum, square)
							}
						}
					}
				}
			}
			if at != len(power) {
				t.Errorf("%d rows, want %d", len(power), at)
			}
			summary(t, filepath.Join(dir, "spectra_summary.parquet"), per)
		})
	}
}

// rowsOf returns each row without its power.
func rowsOf(t *testing.T, table arrow.Table) (rows []string) {
	seed, frame, k := columnOf[int64](t, table, "seed"), columnOf[int32](t, table, "frame"), columnOf[int32](t, table, "k")
	split, field, source := columnOf[string](t, table, "split"), columnOf[string](t, table, "field"), columnOf[string](t, table, "source")
	wave := columnOf[float64](t, table, "wavenumber")
	for i := range seed {
		rows = append(rows, fmt.Sprintf("%d %d %s %s %s %d %.6f", seed[i], frame[i], split[i], field[i], source[i], k[i], wave[i]))
	}
	return rows
}

func summary(t *testing.T, path string, per map[string][]float64) {
	t.Helper()
	table := readTable(t, path)
	defer table.Release()
	split, field, source := columnOf[string](t, table, "split"), columnOf[string](t, table, "field"), columnOf[string](t, table, "source")
	k, count := columnOf[int32](t, table, "k"), columnOf[int32](t, table, "frames")
	if len(k) != len(per) {
		t.Errorf("summary of %d rows, want %d", len(k), len(per))
	}
	for i := range k {
		of := per[fmt.Sprintf("%s %s %s %d", split[i], field[i], source[i], k[i])]
		mean := 0.0
		for _, v := range of {
			mean += v / float64(len(of))
		}
		sorted := slices.Sorted(slices.Values(of))
		for name, want := range map[string]float64{ // of five frames, the quarters are frames
			"mean": mean, "q25": sorted[1], "q50": sorted[2], "q75": sorted[3],
			"q05": sorted[0] + 0.2*(sorted[1]-sorted[0]), "q95": sorted[3] + 0.8*(sorted[4]-sorted[3]),
		} {
			if got := columnOf[float64](t, table, name)[i]; math.Abs(got-want) > 1e-12*max(1, math.Abs(want)) {
				t.Fatalf("%s of row %d is %g, want %g", name, i, got, want)
			}
		}
		if int(count[i]) != len(of) {
			t.Errorf("row %d is of %d frames, want %d", i, count[i], len(of))
		}
	}
}

func momentsOf(values []float32, c, channels int) (mean, std float64) {
	n := float64(len(values) / channels)
	for i := c; i < len(values); i += channels {
		mean += float64(values[i]) / n
	}
	for i := c; i < len(values); i += channels {
		std += math.Pow(float64(values[i])-mean, 2) / n
	}
	return mean, math.Sqrt(std)
}

// powerOf is P(k) by the definition.
func powerOf(s *field.Shells, plane []float64) []float64 {
	p := make([]float64, s.Len())
	longest := float64(max(s.H, s.W))
	for ky := range s.H {
		for kx := range s.W {
			re, im := 0.0, 0.0
			for i, v := range plane {
				sin, cos := math.Sincos(2 * math.Pi * (float64(ky*(i/s.W))/float64(s.H) + float64(kx*(i%s.W))/float64(s.W)))
				re, im = re+v*cos, im+v*sin
			}
			y := float64(min(ky, s.H-ky)) * longest / float64(s.H)
			x := float64(min(kx, s.W-kx)) * longest / float64(s.W)
			p[int(math.RoundToEven(math.Hypot(y, x)))] += (re*re + im*im) / math.Pow(float64(s.H*s.W), 2)
		}
	}
	return p
}

// TestSpectraOfPairs: below pair_load the coarse run's own frames are a further
// source, on their own grid, whose powers sum to their mean square.
func TestSpectraOfPairs(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	spectraSet(t, root, "fine", 2, 3, 8, 8, 2)
	coarse := spectraSet(t, root, "coarse", 2, 3, 4, 4, 2)
	report(t, `
version: 1
run: {name: pairs, overfit: false}
flow:
  - pair_load: {fine: fine, coarse: coarse, fields: [a, b], channels: [b]}
  - spectra:
`, root, dir)
	table := readTable(t, filepath.Join(dir, "spectra.parquet"))
	defer table.Release()
	sums := map[string]float64{}
	power, source := columnOf[float64](t, table, "power"), columnOf[string](t, table, "source")
	seed, frame := columnOf[int64](t, table, "seed"), columnOf[int32](t, table, "frame")
	for i := range power {
		if seed[i] == 1 && frame[i] == 2 {
			sums[source[i]] += power[i]
		}
	}
	want := 0.0
	for cell := range 16 {
		v := float64(coarse[1][(2*16+cell)*2+1])
		want += v * v / 16
	}
	if len(sums) != 3 || math.Abs(sums["sim4"]/want-1) > 1e-6 {
		t.Errorf("power by source %v: want hi, lo and sim4, the last %g", sums, want)
	}
}

// TestLargeSeeds: seeds beyond 32 bits stay what they are in exports and spectra, and two
// that are the same in 32 bits are two.
func TestLargeSeeds(t *testing.T) {
	seeds := []int64{7, 3735928559, 4294967303, 20240101123000}
	root := t.TempDir()
	spectraInput(t, root, len(seeds), 1, 8, 8, 2)
	for i, seed := range seeds {
		folder := func(n int64) string { return filepath.Join(root, "set", fmt.Sprintf("seed_%04d", n)) }
		if err := os.Rename(folder(int64(i)), folder(seed)); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	report(t, fmt.Sprintf(spectraSpec, "a, b", "all", ""), root, dir)
	table := readTable(t, filepath.Join(dir, "spectra.parquet"))
	defer table.Release()
	if got := slices.Compact(columnOf[int64](t, table, "seed")); !slices.Equal(got, seeds) {
		t.Errorf("spectra of the seeds %v, want %v", got, seeds)
	}
	r := exportRun{root: root, dir: t.TempDir()}
	r.must(t)
	m, err := exportset.Read(filepath.Join(r.dir, exportset.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	for i, listed := range m.Files {
		f, err := m.Open(r.dir, listed, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Rows[0].Seed; int64(got) != seeds[i] || int64(listed.Seed) != seeds[i] {
			t.Errorf("seed %d is %d in %s and %d in the manifest", seeds[i], got, listed.Path, listed.Seed)
		}
		f.Close()
	}
}
