package dataset

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"fmsr.example/fmsr/internal/field"
)

// Frames are float32. Of a float64 field that varies little around a large mean, such as a
// pressure of 1e5 +- 0.01, float32 keeps few digits of the variation or none.
// A variation below this share of the mean is float64's own rounding.
const constant = 1e-13

// Lossy is the errors of fields of which float32 keeps too few digits, by the field's name.
// A stage that uses such a field must not.
type Lossy map[string]error

// Check returns the error of the first of these fields that has one.
func (l Lossy) Check(fields []string) error {
	for _, name := range fields {
		if err := l[name]; err != nil {
			return err
		}
	}
	return nil
}

// Add adds the errors of later files.
func (l *Lossy) Add(later Lossy) {
	all := maps.Clone(later)
	if all == nil {
		all = Lossy{}
	}
	maps.Copy(all, *l)
	*l = all
}

// Lossy judges the channels, which have these names, by the first, middle and last frame
// together: a field may begin almost constant.
func (a *Arrays) Lossy(fields []string) (Lossy, error) {
	if !slices.ContainsFunc(a.stored(), stored.Double) {
		return nil, nil
	}
	all, lost := make([]field.Welford, a.C), make([]field.Welford, a.C)
	kept, rest := make([]float32, a.H*a.W*a.C), make([]float32, a.H*a.W*a.C)
	var found Lossy
	for _, i := range []int{0, a.F / 2, a.F - 1} {
		if err := a.readBoth(kept, rest, i); err != nil {
			return nil, fmt.Errorf("frame %d: %w", i, err)
		}
		found = Lossy{}
		for c, name := range fields {
			merge(&all[c], &lost[c], kept[c:], rest[c:], a.C)
			if left := digits(all[c], lost[c]); left < field.EnoughDigits {
				found[name] = fmt.Errorf("%s: field %s: float64 values of %.6g +- %.3g keep %.1f digits of their variation as float32, which fmsr computes in (want %d): subtract one number, about the mean, from the field in all files, or write it in another unit",
					a.pathOf(c), name, all[c].Mean, all[c].Std(), left, field.EnoughDigits)
			}
		}
		if len(found) == 0 {
			break
		}
	}
	return found, nil
}

// readBoth fills kept with frame i, and rest with what float32 loses of it.
func (a *Arrays) readBoth(kept, rest []float32, i int) error {
	if err := a.read(kept, i); err != nil {
		return err
	}
	for _, f := range a.stored() {
		f.Low(true)
		defer f.Low(false)
	}
	return a.read(rest, i)
}

// merge adds a channel's exact values, kept + rest, and what is lost of them. A value that
// is not finite ends both; the run will say where it is.
func merge(all, lost *field.Welford, kept, rest []float32, stride int) {
	n, sum, low := 0.0, 0.0, 0.0
	for i := 0; i < len(kept); i += stride {
		n++
		sum += float64(kept[i]) + float64(rest[i])
	}
	mean, m2 := sum/n, 0.0
	for i := 0; i < len(kept); i += stride {
		d := float64(kept[i]) - mean + float64(rest[i])
		m2 += d * d
		low += float64(rest[i]) * float64(rest[i])
	}
	all.Merge(field.Welford{Count: n, Mean: mean, M2: m2})
	lost.Merge(field.Welford{Count: n, M2: low})
}

// digits returns how many decimal digits of a field's variation float32 keeps.
func digits(all, lost field.Welford) float64 {
	switch {
	case lost.M2 == 0:
		return math.Inf(1)
	case lost.Std() > 1e-3*math.Hypot(all.Mean, all.Std()): // the values are below float32
		return 0
	case all.Std() <= constant*math.Abs(all.Mean):
		return math.Inf(1)
	}
	return max(0, math.Log10(all.Std()/lost.Std()))
}
