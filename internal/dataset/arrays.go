package dataset

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/format/npy"
	"fmsr/internal/frames"
)

// Arrays is a seed's open files, read as frames (H,W,C).
//
//	one float32 file (F,H,W,C)        -- frame i: a view of the mapped file --
//	another type, or compressed       -- frame i: converted into new memory --
//	one file (F,H,W) a field          -- frame i: assembled in new memory --
type Arrays struct {
	F, H, W, C int // frames, grid and channels

	files []*npy.File
	whole *memory.Buffer // the mapped values, if frames are views of them
	plane []float32      // scratch: one field of a frame
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
		return a, nil
	}
	if data := a.files[0].Data(); data != nil {
		// the last frame that is released unmaps the file
		file := a.files[0]
		a.whole, a.files = frames.Foreign(frames.Bytes(data), func() { file.Close() }), nil
	}
	return a, nil
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
	n := a.H * a.W * a.C
	if a.whole != nil {
		return frames.Slice(a.whole, 4*n*i, 4*n), nil
	}
	b := frames.NewBuffer(mem, n)
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

// Close closes the files. A mapped file stays mapped until its last frame is released.
func (a *Arrays) Close() {
	if a.whole != nil {
		a.whole.Release()
	}
	for _, f := range a.files {
		f.Close()
	}
}
