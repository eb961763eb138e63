package dataset

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/hdf5"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/infile"
)

// Axes are the axes of a file's array as letters, in the order of its shape: F frames, H,
// W, and C channels.
const Axes = "FHWC"

// CheckAxes returns an error unless axes are the letters of Axes in some order.
func CheckAxes(axes string) error {
	letters := []byte(axes)
	slices.Sort(letters)
	if string(letters) != "CFHW" {
		return fmt.Errorf("is %q: want the letters F (frames), H, W and C (channels) in the order of the array's shape, as %s or FCHW", axes, Axes)
	}
	return nil
}

// axisNames are the axes in messages.
var axisNames = map[rune]string{'F': "frames", 'H': "H", 'W': "W", 'C': "channels"}

// file is an open array of an npy, npz or HDF5 file.
type file interface {
	Read(dst []float32, at int) error
	Double() bool
	Low(on bool)
	Stamp() infile.Stamp
	Close() error
}

// array is an open file that is read a frame (H,W,C) at a time, whatever the order of its
// axes and of its values.
type array struct {
	file
	path       string // of the file, and in it
	shape      []int
	moments    []frames.Moment // of each frame; nil: not known
	domain     *field.Domain   // nil: not known
	f, h, w, c int

	// The values' order: axes from the slowest to the fastest, without those of length 1.
	order        string
	natural      bool // the order is that of H, W, C
	outer, inner int  // numbers of values along the axes before F and behind it

	plain []float32 // scratch: a frame in the file's order

	// Frames in the file's order, where they are not contiguous: from .. from+held-1.
	block      []float32
	most       int // values of a block: each block takes a pass through the file
	from, held int
}

// openArray opens an array of a file, an npz's or HDF5's by its name.
func (f Files) openArray(path, name, optional string) (*array, error) {
	axes, fortran := cmp.Or(f.Axes, Axes), false
	var a *array
	if hdf5.Is(path) {
		h, err := hdf5.Open(path, name, f.Trajectory-1)
		if err != nil {
			return nil, err
		}
		a, axes = &array{file: h, path: h.Path, shape: h.Shape, moments: h.Moments, domain: h.Domain}, cmp.Or(h.Axes, axes)
	} else {
		n, err := npy.OpenArray(path, name)
		if err != nil {
			return nil, err
		}
		a, fortran = &array{file: n, path: n.Path, shape: n.Shape}, n.Fortran
	}
	_, all := present(a.shape, axes, optional)
	_, one := present(a.shape, axes, optional+"F")
	if f.OneFrame && one && !all && (len(a.shape) == 2 || fewChannels(a.shape, without(axes, "F"))) {
		optional += "F"
	}
	opened, err := newArray(a, axes, optional, fortran)
	switch {
	case err != nil && f.OneFrame:
		err = fmt.Errorf("%w, or (%s), one frame; if each field or frame has a file, give their folder, and --pattern with {field} or {frame} in place of what varies", err, nameAxes(axes, "F"))
	case err != nil && one:
		err = fmt.Errorf("%w. If each file is one frame, name the files by npy_load.pattern, with {frame} for the number, as snap_{frame}%s", err, filepath.Ext(path))
	}
	return opened, err
}

// fewChannels reports whether the channels are the shortest of three axes.
func fewChannels(shape []int, axes string) bool {
	for i, n := range shape {
		if axis := axes[i]; axis != 'C' && n <= shape[strings.IndexByte(axes, 'C')] {
			return false
		}
	}
	return true
}

// newArray finds the axes of an array among axes. Those in optional may be missing, or have
// the length 1. If it returns an error, it closes the array.
func newArray(a *array, axes, optional string, fortran bool) (*array, error) {
	found, ok := present(a.shape, axes, optional)
	if !ok {
		a.Close()
		return nil, fmt.Errorf("%s: shape %v, want (%s)%s", a.path, a.shape, nameAxes(axes, optional), oneOf(optional))
	}
	length := map[rune]int{'F': 1, 'H': 1, 'W': 1, 'C': 1}
	var stored []rune // from the slowest to the fastest
	for i, axis := range found {
		if length[axis] = a.shape[i]; length[axis] > 1 {
			stored = append(stored, axis)
		}
	}
	if fortran {
		slices.Reverse(stored)
	}
	a.f, a.h, a.w, a.c = length['F'], length['H'], length['W'], length['C']
	a.outer, a.inner, a.most = 1, 1, 16<<20
	at := max(0, slices.Index(stored, 'F'))
	for i, axis := range stored {
		switch {
		case axis == 'F':
			continue
		case i < at:
			a.outer *= length[axis]
		default:
			a.inner *= length[axis]
		}
		a.order += string(axis)
	}
	hwc := "HWC"
	for _, axis := range hwc {
		if length[axis] == 1 {
			hwc = without(hwc, string(axis))
		}
	}
	a.natural = a.order == hwc
	return a, nil
}

// present returns the axes that an array of that shape has: all, or without optional ones.
// An optional axis that it has is of length 1.
func present(shape []int, axes, optional string) (found string, ok bool) {
	for _, missing := range []string{"", "F", "C", "FC"} {
		if strings.Trim(missing, optional) != "" {
			continue
		}
		found = without(axes, missing)
		ok = len(found) == len(shape)
		for i := 0; ok && i < len(found); i++ {
			ok = shape[i] == 1 || !strings.Contains(optional, found[i:i+1])
		}
		if ok {
			return found, true
		}
	}
	return "", false
}

func without(axes, letters string) string {
	return strings.Map(func(axis rune) rune {
		if strings.ContainsRune(letters, axis) {
			return -1
		}
		return axis
	}, axes)
}

func nameAxes(axes, optional string) string {
	var names []string
	for _, axis := range without(axes, optional) {
		names = append(names, axisNames[axis])
	}
	return strings.Join(names, ", ")
}

// oneOf says why an axis is not there.
func oneOf(optional string) string {
	text := ""
	if strings.Contains(optional, "C") {
		text += ", one field"
	}
	if strings.Contains(optional, "F") {
		text += ", one frame"
	}
	return text
}

// frame fills dst (H,W,C) with frame i.
func (a *array) frame(dst []float32, i int) error {
	n := len(dst)
	if a.outer > 1 { // the frame's values are apart
		if err := a.fill(i, n); err != nil {
			return err
		}
		a.arrange(dst, a.block[(i-a.from)*n:][:n])
		return nil
	}
	if a.natural {
		return a.Read(dst, i*n)
	}
	if a.plain == nil {
		a.plain = make([]float32, n)
	}
	if err := a.Read(a.plain, i*n); err != nil {
		return err
	}
	a.arrange(dst, a.plain)
	return nil
}

// Low is the file's. What is held is not of that kind.
func (a *array) Low(on bool) {
	a.file.Low(on)
	a.held = 0
}

// fill reads a block of frames of n values from frame i on, unless it has frame i.
func (a *array) fill(i, n int) error {
	if i >= a.from && i < a.from+a.held {
		return nil
	}
	a.from, a.held = i, min(a.f-i, max(1, a.most/n))
	a.block = slices.Grow(a.block[:0], a.held*n)[:a.held*n]
	run := make([]float32, a.held*a.inner) // of one index along the outer axes
	for o := range a.outer {
		if err := a.Read(run, (o*a.f+i)*a.inner); err != nil {
			a.held = 0
			return err
		}
		for k := range a.held {
			copy(a.block[k*n+o*a.inner:], run[k*a.inner:][:a.inner])
		}
	}
	return nil
}

// arrange puts a frame in the file's order into the order H, W, C.
func (a *array) arrange(dst, src []float32) {
	length, stride := map[byte]int{'H': a.h, 'W': a.w, 'C': a.c}, map[byte]int{}
	step := 1
	for i := len(a.order) - 1; i >= 0; i-- {
		stride[a.order[i]] = step
		step *= length[a.order[i]]
	}
	sh, sw, sc := stride['H'], stride['W'], stride['C']
	k := 0
	for y := range a.h {
		for x := range a.w {
			for c := range a.c {
				dst[k] = src[y*sh+x*sw+c*sc]
				k++
			}
		}
	}
}
