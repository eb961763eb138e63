package inspect

import (
	"fmt"
	"math"

	"fmsr.example/fmsr/internal/field"
)

// Odd says what is odd about the frames, a sentence each, the worst first.
func (r *Report) Odd() (all []string) {
	add := func(name, format string, args ...any) {
		all = append(all, name+": "+fmt.Sprintf(format, args...))
	}
	for _, f := range r.Fields {
		if f.NotFinite > 0 {
			add(f.Name, "%d values are NaN or infinite, the first at %v", f.NotFinite, f.Where)
		}
	}
	all = append(all, r.Alike...)
	if more := r.Pairs - len(r.Alike); more > 0 {
		all = append(all, fmt.Sprintf("%d more frames have the values of an earlier one", more))
	}
	var names []string
	for _, f := range r.Fields {
		names = append(names, f.Name)
		if odd := f.odd(); odd != "" {
			add(f.Name, "%s", odd)
		}
	}
	for _, d := range r.curls {
		if odd := d.odd(names); odd != "" {
			all = append(all, odd)
		}
	}
	return all
}

// odd says what is odd about the values of a field; empty: nothing.
func (f *Field) odd() string {
	if f.Count == 0 {
		return ""
	}
	if f.Constant() {
		return fmt.Sprintf("it is constant, %.6g", f.Mean)
	}
	if digits, _ := f.Digits(); digits < field.EnoughDigits {
		return fmt.Sprintf("float32 keeps only %.1f digits of its variation beside its mean: subtract one number, about the mean", digits)
	}
	if f.wave == 0 {
		return "it is constant within each frame"
	}
	y, x := f.axes[0], f.axes[1]
	ry, rx := f.roughness(y), f.roughness(x)
	const rough, smooth = 0.75, 0.1
	switch {
	case ry > rough && rx > rough:
		return fmt.Sprintf("neighbouring cells are unrelated, as in noise (roughness %.2f along y, %.2f along x)", ry, rx)
	case ry > rough && rx < smooth || rx > rough && ry < smooth:
		return fmt.Sprintf("it is smooth along one axis alone (roughness %.2f along y, %.2f along x; 1: neighbours are unrelated): H and W, or the order of the array's axes, look wrong", ry, rx)
	}
	return f.decoupled()
}

// decoupled says along which axes odd and even cells differ: by waves of about two cells,
// or by the same pattern everywhere.
func (f *Field) decoupled() string {
	y, x := f.oddEven(f.axes[0]), f.oddEven(f.axes[1])
	if y == 0 && x == 0 {
		both := f.stands(alongBoth)
		y, x = max(both, f.stands(alongY)), max(both, f.stands(alongX))
	}
	along := "along y"
	switch {
	case y == 0 && x == 0:
		return ""
	case y > 0 && x > 0:
		along = "along y and x, a checkerboard"
	case x > 0:
		along = "along x"
	}
	return fmt.Sprintf("odd and even cells are decoupled %s: waves of two cells have %.2g of its deviation", along, math.Sqrt(max(y, x)))
}
