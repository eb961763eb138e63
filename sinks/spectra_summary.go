package sinks

import (
	"math"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/parquet"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/picture"
)

// quantiles of the summary, interpolated linearly between the frames' powers.
var quantiles = []struct {
	name string
	at   float64
}{{"q05", 0.05}, {"q25", 0.25}, {"q50", 0.5}, {"q75", 0.75}, {"q95", 0.95}}

// spectrumSummary is the statistics of a split, a field and a source, for each k.
type spectrumSummary struct {
	count int
	mean  []float64
	q     [5][]float64
}

// writeSummary summarizes one field and source at a time, so that it needs memory for one.
func (t *spectraTables) writeSummary() error {
	var splits []frames.Split
	for _, s := range t.seeds {
		if !slices.Contains(splits, s.seed.Split) {
			splits = append(splits, s.seed.Split)
		}
	}
	slices.Sort(splits)
	all := map[frames.Split][][]spectrumSummary{} // by split, field, source
	for _, split := range splits {
		for field := range t.fields {
			row := make([]spectrumSummary, len(t.sources))
			for source := range t.sources {
				var err error
				if row[source], err = t.summarize(split, field, source); err != nil {
					return err
				}
			}
			all[split] = append(all[split], row)
		}
	}
	if err := t.writeSummaryTable(splits, all); err != nil {
		return err
	}
	if err := t.draw(all); err != nil {
		return err
	}
	_, err := writeRecord(t.dir, 0, t.record(all))
	return err
}

func (t *spectraTables) summarize(split frames.Split, field, source int) (spectrumSummary, error) {
	k := t.sources[source].shells.Len()
	var powers []float64 // (frames, k)
	for i, s := range t.seeds {
		if s.seed.Split != split {
			continue
		}
		at := len(powers)
		powers = slices.Grow(powers, len(s.frames)*k)[:at+len(s.frames)*k]
		if err := s.read(t.dir, t.records[i], s.offset(source, field), powers[at:]); err != nil {
			return spectrumSummary{}, err
		}
	}
	sum := spectrumSummary{count: len(powers) / k, mean: make([]float64, k)}
	for q := range sum.q {
		sum.q[q] = make([]float64, k)
	}
	err := parallel.Each(k, func(shell int) error {
		of := make([]float64, sum.count)
		for n := range of {
			of[n] = powers[n*k+shell]
			sum.mean[shell] += of[n] / float64(sum.count)
		}
		slices.Sort(of)
		for q := range sum.q {
			sum.q[q][shell] = quantile(of, quantiles[q].at)
		}
		return nil
	})
	return sum, err
}

// quantile returns the q-quantile of sorted values.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (sorted[high]-sorted[low])*(at-float64(low))
}

func (t *spectraTables) writeSummaryTable(splits []frames.Split, all map[frames.Split][][]spectrumSummary) error {
	names := []string{"split", "field", "source", "k", "wavenumber", "frames", "mean"}
	kinds := []parquet.Type{parquet.Types.ByteArray, parquet.Types.ByteArray, parquet.Types.ByteArray, parquet.Types.Int32, parquet.Types.Double,
		parquet.Types.Int32, parquet.Types.Double}
	plain := []string{"mean"}
	for _, q := range quantiles {
		names, kinds, plain = append(names, q.name), append(kinds, parquet.Types.Double), append(plain, q.name)
	}
	var r tableRows
	r.reset(4)
	var splitNames []string
	var counts []int
	values := make([][]float64, 1+len(quantiles))
	for i, split := range splits {
		splitNames = append(splitNames, split.String())
		counts = append(counts, all[split][0][0].count)
		for field := range t.fields {
			for source, s := range t.sources {
				sum := all[split][field][source]
				r.add(s.shells.Len(), i, field, source)
				values[0] = append(values[0], sum.mean...)
				for q := range sum.q {
					values[1+q] = append(values[1+q], sum.q[q]...)
				}
			}
		}
	}
	return writeTable(filepath.Join(t.dir, summaryName), names, kinds, plain, t.about, func(w *tableWriter) error {
		w.group()
		w.dictionary(texts(splitNames...), r.columns[0])
		w.dictionary(texts(t.fields...), r.columns[1])
		w.dictionary(texts(t.sourceNames()...), r.columns[2])
		w.dictionary(ascending(t.shells()), r.columns[3])
		w.dictionary(doubles(t.wavenumbers()), r.columns[3])
		unique, places := distinct(counts, r.columns[0])
		w.dictionary(int32s(unique...), places)
		for _, v := range values {
			w.plain(v)
		}
		return w.endGroup()
	})
}

// distinct returns the values without repetition, and for each i the place of
// values[at[i]] among them.
func distinct(values []int, at []int32) (unique []int, places []int32) {
	for _, v := range values {
		if !slices.Contains(unique, v) {
			unique = append(unique, v)
		}
	}
	for _, i := range at {
		places = append(places, int32(slices.Index(unique, values[i])))
	}
	return unique, places
}

// record returns the spectra for pages: the curves.
func (t *spectraTables) record(all map[frames.Split][][]spectrumSummary) *evaluate.Record {
	r := &evaluate.Record{Frames: t.frames(), Grid: t.sources[0].shells.Grid}
	if t.factor > 1 {
		r.Factor, r.Lost = t.factor, r.Grid.LostFrom(t.factor)
	}
	for _, name := range t.fields {
		r.Fields = append(r.Fields, evaluate.RecordField{Name: name})
	}
	for source, s := range t.sources {
		spectrum := evaluate.RecordSpectrum{Key: s.name, Label: s.name}
		for field := range t.fields {
			c := t.curve(all, field, source)
			spectrum.Power, spectrum.Low, spectrum.High = append(spectrum.Power, c.Y), append(spectrum.Low, c.Low), append(spectrum.High, c.High)
		}
		r.Spectra = append(r.Spectra, spectrum)
	}
	return r
}

// draw draws the mean over all frames and its spread: hi as the truth, and the other sources
// over it.
func (t *spectraTables) draw(all map[frames.Split][][]spectrumSummary) error {
	var figure picture.Plots
	for field, name := range t.fields {
		stack := picture.Stack{{Title: name, XLabel: "k L / 2π", YLabel: "P(k)"}}
		if t.factor > 1 {
			stack[0].Band = evaluate.LostBand(t.sources[0].shells.Grid, t.factor)
			ratio := evaluate.RatioPlot(stack[0].Band)
			ratio.YLabel = "P / P_{hi}"
			stack = append(stack, ratio)
		}
		for source := range t.sources {
			c := t.curve(all, field, source)
			stack[0].Curves = append(stack[0].Curves, c)
			if source > 0 && len(stack) > 1 {
				over := picture.Curve{Label: c.Label, Of: c.Of, X: c.X}
				for k, p := range c.Y {
					over.Y = append(over.Y, p/stack[0].Curves[0].Y[k])
				}
				stack[1].Curves = append(stack[1].Curves, over)
			}
		}
		figure.Stacks = append(figure.Stacks, stack)
	}
	return writeFigure(filepath.Join(t.dir, pictureName+"."+t.figures.Format), figure, picture.Format(t.figures.Format))
}

// curve returns the mean P(k) of a source over all frames, between the extreme quantiles of
// the splits.
func (t *spectraTables) curve(all map[frames.Split][][]spectrumSummary, field, source int) picture.Curve {
	s := t.sources[source]
	of := s.name
	if source == 0 {
		of = picture.Truth
	}
	c := picture.NewCurve(s.name, of, make([]float64, s.shells.Len()))
	c.Low, c.High = slices.Repeat([]float64{math.Inf(1)}, len(c.Y)), make([]float64, len(c.Y))
	for _, split := range []frames.Split{frames.Train, frames.Val, frames.Test} {
		if all[split] == nil {
			continue
		}
		sum := all[split][field][source]
		for k, v := range sum.mean {
			c.Y[k] += v * float64(sum.count) / float64(t.frames())
			c.Low[k], c.High[k] = min(c.Low[k], sum.q[0][k]), max(c.High[k], sum.q[len(sum.q)-1][k])
		}
	}
	return c
}
