package dataset

import (
	"fmt"
	"math"

	"fmsr/internal/field"
)

// Frames are float32. Of a float64 field that varies little around a large mean, such as a
// pressure of 1e5 +- 0.01, float32 keeps few digits of the variation or none.
const (
	enoughDigits = 3     // of the variation: what float32 loses is then a thousandth of it
	constant     = 1e-13 // of the mean: a smaller variation is float64's own rounding
)

// CheckDigits returns an error that names a field of a seed's float64 files if float32
// keeps too few digits of it. Without names a field is called by its number.
func CheckDigits(f Files, fields []string) error {
	a, err := f.Open()
	if err != nil {
		return err
	}
	defer a.Close()
	return a.checkDigits(fields)
}

// checkDigits judges by the first, middle and last frame together: a field may begin
// almost constant.
func (a *Arrays) checkDigits(fields []string) error {
	double := false
	for _, f := range a.files {
		double = double || f.Double()
	}
	if !double {
		return nil
	}
	all, lost := make([]field.Welford, a.C), make([]field.Welford, a.C)
	kept, rest := make([]float32, a.H*a.W*a.C), make([]float32, a.H*a.W*a.C)
	few := -1
	for _, i := range []int{0, a.F / 2, a.F - 1} {
		if err := a.readBoth(kept, rest, i); err != nil {
			return fmt.Errorf("frame %d: %w", i, err)
		}
		few = -1
		for c := range a.C {
			merge(&all[c], &lost[c], kept[c:], rest[c:], a.C)
			if few < 0 && digits(all[c], lost[c]) < enoughDigits {
				few = c
			}
		}
		if few < 0 {
			return nil
		}
	}
	name := fmt.Sprintf("field %d", few)
	if few < len(fields) {
		name = "field " + fields[few]
	}
	return fmt.Errorf("%s: %s: float64 values of %.6g +- %.3g keep %.1f digits of their variation as float32, which fmsr computes in (want %d): subtract one number, about the mean, from the field in all files, or write it in another unit",
		a.files[min(few, len(a.files)-1)].Path, name, all[few].Mean, all[few].Std(), digits(all[few], lost[few]), enoughDigits)
}

// readBoth fills kept with frame i, and rest with what float32 loses of it.
func (a *Arrays) readBoth(kept, rest []float32, i int) error {
	if err := a.read(kept, i); err != nil {
		return err
	}
	for _, f := range a.files {
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
