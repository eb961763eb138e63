package stages

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/format/npy"
	"fmsr/internal/frames"
)

// seedArrays is a seed's open files, read as frames (H,W,C).
//
//	one float32 file (F,H,W,C)        -- frame i: a view of the mapped file --
//	another type, or compressed       -- frame i: converted into mem --
//	one file (F,H,W) a field          -- frame i: put together in mem --
type seedArrays struct {
	f, h, w, c int
	files      []*npy.File
	whole      *memory.Buffer // the values, where frames are views of them
	plane      []float32      // scratch: one field of a frame
}

// open opens a seed's files and checks that their shapes fit.
func (s seedFiles) open() (*seedArrays, error) {
	a := &seedArrays{}
	for _, path := range s.paths() {
		file, err := npy.OpenArray(path, s.array)
		if err != nil {
			a.close()
			return nil, err
		}
		a.files = append(a.files, file)
		if err := a.add(file, s.fields != nil); err != nil {
			a.close()
			return nil, err
		}
	}
	if s.fields != nil {
		a.plane = make([]float32, a.h*a.w)
		return a, nil
	}
	if data := a.files[0].Data(); data != nil {
		// the file stays mapped until the last frame of it is released
		file := a.files[0]
		a.whole, a.files = frames.Foreign(frames.Bytes(data), func() { file.Close() }), nil
	}
	return a, nil
}

// add takes in a file's shape.
func (a *seedArrays) add(file *npy.File, isField bool) error {
	shape := file.Shape
	if isField && len(shape) == 4 && shape[3] == 1 {
		shape = shape[:3]
	}
	switch {
	case isField && len(shape) != 3:
		return fmt.Errorf("%s: shape %v, want (frames, H, W), one field", file.Path, file.Shape)
	case !isField && len(shape) != 4:
		return fmt.Errorf("%s: shape %v, want (frames, H, W, channels)", file.Path, file.Shape)
	case isField && a.f == 0:
		a.f, a.h, a.w, a.c = shape[0], shape[1], shape[2], 1
	case isField:
		if shape[0] != a.f || shape[1] != a.h || shape[2] != a.w {
			return fmt.Errorf("%s: shape %v, but %s has %v", file.Path, file.Shape, a.files[0].Path, a.files[0].Shape)
		}
		a.c++
	default:
		a.f, a.h, a.w, a.c = shape[0], shape[1], shape[2], shape[3]
	}
	return nil
}

// frame is frame i, (H,W,C).
func (a *seedArrays) frame(mem memory.Allocator, i int) (*memory.Buffer, error) {
	n := a.h * a.w * a.c
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

func (a *seedArrays) read(dst []float32, i int) error {
	if a.plane == nil {
		return a.files[0].Read(dst, i*len(dst))
	}
	for c, file := range a.files {
		if err := file.Read(a.plane, i*len(a.plane)); err != nil {
			return err
		}
		for cell, v := range a.plane {
			dst[cell*a.c+c] = v
		}
	}
	return nil
}

// close lets go of the files; a mapped one is closed by its last frame.
func (a *seedArrays) close() {
	if a.whole != nil {
		a.whole.Release()
	}
	for _, f := range a.files {
		f.Close()
	}
}
