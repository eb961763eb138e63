package guess

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/dataset"
)

// reading is how the arrays of a set are read.
type reading struct {
	axes    string // of dataset.Form; empty: dataset.Axes
	fields  int    // of an array
	frames  bool   // each array holds one frame
	because string // why these axes, where the shape leaves a choice
}

// single reports whether each file's array has an axis of frames of length 1.
func (r reading) single(files []file) bool {
	at := strings.Index(cmp.Or(r.axes, dataset.Axes), "F")
	return !r.frames && !slices.ContainsFunc(files, func(f file) bool { return f.shape[at] != 1 })
}

// mostChannels is the length up to which an axis is taken for that of the fields.
const mostChannels = 16

// read guesses the axes from an array's shape. alone: the array holds one field, since its
// name, or that of its file, is a field's. many: the names of files have numbers.
func read(shape []int, alone, many bool) (r reading, ok bool) {
	switch n := len(shape); {
	case alone:
		return readAlone(shape)
	case n == 2:
		return reading{fields: 1, frames: true}, true
	case n == 4:
		return readFour(shape), true
	case n == 3:
		return readThree(shape, many), true
	}
	return r, false
}

// readAlone reads the shape of one field: (F,H,W), or (H,W) for one frame, with or without
// an axis of length 1 for the field.
func readAlone(shape []int) (r reading, ok bool) {
	switch n := len(shape); {
	case n == 2:
		return reading{fields: 1, frames: true}, true
	case n == 3:
		return reading{fields: 1}, true
	case n == 4 && shape[3] == 1:
		return reading{fields: 1}, true
	case n == 4 && shape[1] == 1:
		return reading{fields: 1, axes: "FCHW"}, true
	case n == 4 && shape[0] == 1:
		return reading{fields: 1, axes: "CFHW"}, true
	}
	return r, false
}

// readFour reads a shape of frames, a grid and fields: the fields' axis is the short one, at
// the end, before the grid, or in front.
func readFour(s []int) reading {
	switch {
	case s[3] < min(s[1], s[2]):
		return reading{fields: s[3]}
	case s[1] < min(s[2], s[3]) && (s[1] <= mostChannels || s[0] > mostChannels):
		return reading{fields: s[1], axes: "FCHW"}
	case s[0] < min(s[2], s[3]):
		return reading{fields: s[0], axes: "CFHW"}
	}
	return reading{fields: s[3], because: fmt.Sprintf("no axis of the shape %v is clearly that of the fields: taken to be the last", s)}
}

// readThree reads a shape of which frames or fields are missing.
func readThree(s []int, many bool) reading {
	last := s[2] <= mostChannels && s[2] < min(s[0], s[1])
	first := s[0] <= mostChannels && s[0] < min(s[1], s[2])
	switch {
	case last:
		return reading{fields: s[2], frames: true}
	case first && many && s[0] > 1:
		return reading{fields: s[0], frames: true, axes: "FCHW", because: fmt.Sprintf("the first axis of the shape %v is taken to be that of the fields, not of frames", s)}
	default:
		r := reading{fields: 1}
		if first && s[0] > 1 {
			r.because = fmt.Sprintf("the first axis of the shape %v is taken to be that of frames, not of fields", s)
		}
		return r
	}
}

// same reports whether arrays can be of the same set, whatever number of frames they hold.
func same(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) > 2 {
		a, b = a[1:], b[1:]
	}
	return slices.Equal(a, b)
}
