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

	files []*array
	plane []float32 // scratch: one field of a frame
}

// Open opens a seed's files and checks that their shapes fit together. Close it.
func (f Files) Open() (*Arrays, error) {
	a := &Arrays{}
	for _, path := range f.Paths() {
		if err := a.add(path, f); err != nil {
			a.Close()
			return nil, err
		}
	}
	if f.Fields != nil {
		a.plane = make([]float32, a.H*a.W)
	}
	return a, nil
}

// add opens a file and checks its shape against the first file's.
func (a *Arrays) add(path string, f Files) error {
	file, err := npy.OpenArray(path, f.Array)
	if err != nil {
		return err
	}
	axes, optional := f.Axes, ""
	if axes == "" {
		axes = Axes
	}
	if f.Fields != nil {
		optional = "C"
	}
	next, err := newArray(file, axes, optional)
	if err != nil {
		file.Close()
		return err
	}
	a.files = append(a.files, next)
	first := a.files[0]
	if next.f != first.f || next.h != first.h || next.w != first.w {
		return fmt.Errorf("%s: shape %v, but %s has %v", file.Path, file.Shape, first.Path, first.Shape)
	}
	a.F, a.H, a.W, a.C = first.f, first.h, first.w, a.C+next.c
	return nil
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
		return a.files[0].frame(dst, i)
	}
	for c, file := range a.files {
		if err := file.frame(a.plane, i); err != nil {
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
