package dataset

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/format/npy"
	"fmsr/internal/frames"
	"fmsr/internal/store/infile"
)

// Arrays is a seed's open files, read as frames (H,W,C).
//
//	one file (F,H,W,C)         -- frame i: read, and converted to float32 --
//	one file (F,H,W) a field   -- frame i: assembled ------------------------
type Arrays struct {
	F, H, W, C int // frames, grid and channels

	files []*npy.File
	plane []float32 // scratch: one field of a frame
}

// Open opens a seed's files and checks that their shapes fit together. Close it.
func (f Files) Open() (*Arrays, error) {
	a := &Arrays{}
	for _, path := range f.Paths() {
		file, err := npy.OpenArray(path, f.Array)
		if err != nil {
			a.Close()
			return nil, err
		}
		a.files = append(a.files, file)
		if err := a.add(file, f.Fields != nil); err != nil {
			a.Close()
			return nil, err
		}
	}
	if f.Fields != nil {
		a.plane = make([]float32, a.H*a.W)
	}
	return a, nil
}

// Stamps returns the stamp of each file.
func (a *Arrays) Stamps() []infile.Stamp {
	var all []infile.Stamp
	for _, f := range a.files {
		all = append(all, f.Stamp())
	}
	return all
}

// were returns an error unless the files had these stamps when they were opened.
func (a *Arrays) were(before []infile.Stamp) error {
	for i, f := range a.files {
		if err := f.Was(before[i]); err != nil {
			return err
		}
	}
	return nil
}

// add checks a file's shape against those of the files before it.
func (a *Arrays) add(file *npy.File, isField bool) error {
	shape := file.Shape
	if isField && len(shape) == 4 && shape[3] == 1 {
		shape = shape[:3]
	}
	switch {
	case isField && len(shape) != 3:
		return fmt.Errorf("%s: shape %v, want (frames, H, W), one field", file.Path, file.Shape)
	case !isField && len(shape) != 4:
		return fmt.Errorf("%s: shape %v, want (frames, H, W, channels)", file.Path, file.Shape)
	case isField && a.F == 0:
		a.F, a.H, a.W, a.C = shape[0], shape[1], shape[2], 1
	case isField:
		if shape[0] != a.F || shape[1] != a.H || shape[2] != a.W {
			return fmt.Errorf("%s: shape %v, but %s has %v", file.Path, file.Shape, a.files[0].Path, a.files[0].Shape)
		}
		a.C++
	default:
		a.F, a.H, a.W, a.C = shape[0], shape[1], shape[2], shape[3]
	}
	return nil
}

// Frame returns frame i, (H,W,C) float32. Release it; it outlives Close.
func (a *Arrays) Frame(mem memory.Allocator, i int) (*memory.Buffer, error) {
	b := frames.NewBuffer(mem, a.H*a.W*a.C)
	if err := a.read(frames.Floats(b), i); err != nil {
		b.Release()
		return nil, fmt.Errorf("frame %d: %w", i, err)
	}
	return b, nil
}

// read fills dst (H,W,C) with frame i.
func (a *Arrays) read(dst []float32, i int) error {
	if a.plane == nil {
		return a.files[0].Read(dst, i*len(dst))
	}
	for c, file := range a.files {
		if err := file.Read(a.plane, i*len(a.plane)); err != nil {
			return err
		}
		for cell, v := range a.plane {
			dst[cell*a.C+c] = v
		}
	}
	return nil
}

// Close closes the files.
func (a *Arrays) Close() {
	for _, f := range a.files {
		f.Close()
	}
}
