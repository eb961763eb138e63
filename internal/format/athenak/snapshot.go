package athenak

import (
	"fmt"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/floats"
	"fmsr.example/fmsr/internal/frames"
)

// Snapshot is the files of one moment, joined: several outputs, or the files of several
// ranks. Its values are those of a plane.
type Snapshot struct {
	frames.Moment
	field.Grid
	Files []*File

	plane   plane
	outputs []output
	low     bool
	raw     []byte    // scratch: values as stored
	values  []float32 // scratch: the same, converted
}

// output is the files with the same variables.
type output struct {
	variables []string
	files     []*File
}

// Join opens files, and checks that they are of one moment and mesh, and that each output
// covers every cell of the plane once. Close it.
func Join(paths []string, s Slice) (*Snapshot, error) {
	snap := &Snapshot{}
	if err := snap.join(paths, s); err != nil {
		snap.Close()
		return nil, err
	}
	return snap, nil
}

func (s *Snapshot) join(paths []string, at Slice) error {
	var blocks []block
	for _, path := range paths {
		f, err := Open(path)
		if err != nil {
			return err
		}
		s.Files = append(s.Files, f)
		first := s.Files[0]
		switch {
		case f.Moment != first.Moment:
			return fmt.Errorf("%s is of time %g, cycle %d, and %s of time %g, cycle %d: files of one number must be of one moment (outputs of different dt are not: name those to read in outputs)",
				first.Path, first.Time, first.Cycle, path, f.Time, f.Cycle)
		case f.mesh != first.mesh:
			return fmt.Errorf("%s and %s have different meshes: %+v and %+v", first.Path, path, first.mesh, f.mesh)
		}
		blocks = append(blocks, f.blocks...)
		s.add(f)
	}
	first := s.Files[0]
	if len(blocks) == 0 {
		return fmt.Errorf("%s: no MeshBlock: it is truncated", first.Path)
	}
	var err error
	if s.plane, err = first.mesh.plane(blocks, at); err != nil {
		return fmt.Errorf("%s: %w", first.Path, err)
	}
	s.Moment, s.Grid = first.Moment, first.mesh.grid(s.plane)
	for _, o := range s.outputs {
		if err := s.covered(o); err != nil {
			return err
		}
	}
	return nil
}

// add puts a file to those with its variables.
func (s *Snapshot) add(f *File) {
	for i, o := range s.outputs {
		if slices.Equal(o.variables, f.Variables) {
			s.outputs[i].files = append(o.files, f)
			return
		}
	}
	s.outputs = append(s.outputs, output{f.Variables, []*File{f}})
}

// covered returns an error unless the blocks of an output cover the plane. No two are of
// one MeshBlock, so they cannot overlap.
func (s *Snapshot) covered(o output) error {
	seen, cells := map[[3]int]string{}, 0
	for _, f := range o.files {
		for _, b := range f.blocks {
			if !s.plane.meets(b) {
				continue
			}
			at := f.mesh.place(b)
			if other, ok := seen[at]; ok {
				return fmt.Errorf("the MeshBlock %v is in %s and in %s", at, other, f.Path)
			}
			seen[at] = f.Path
			cells += b.n[s.plane.h] * b.n[s.plane.w]
		}
	}
	if want := s.Cells(); cells != want {
		return fmt.Errorf("%s: MeshBlocks of %d of the %d cells of a plane: it is truncated, or the files of other ranks are missing", o.files[0].Path, cells, want)
	}
	return nil
}

func (p plane) meets(b block) bool {
	return p.at >= b.first[p.normal] && p.at < b.first[p.normal]+b.n[p.normal]
}

// Variables returns the variables of all outputs, in the files' order.
func (s *Snapshot) Variables() (names []string) {
	for _, o := range s.outputs {
		names = append(names, o.variables...)
	}
	return names
}

// Check returns an error unless each variable is in one output.
func (s *Snapshot) Check(variables []string) error {
	for _, name := range variables {
		var in []string
		for _, o := range s.outputs {
			if slices.Contains(o.variables, name) {
				in = append(in, o.files[0].Path)
			}
		}
		switch {
		case in == nil:
			return fmt.Errorf("%s: no variable %s: it and the files beside it have %s", s.Files[0].Path, name, strings.Join(s.Variables(), ", "))
		case len(in) > 1:
			return fmt.Errorf("the variable %s is in %s and in %s: name the outputs to read in outputs", name, in[0], in[1])
		}
	}
	return nil
}

// Double reports whether a file has float64 values.
func (s *Snapshot) Double() bool {
	return slices.ContainsFunc(s.Files, func(f *File) bool { return f.valueSize == 8 })
}

// Low makes Read return what float32 loses of the values, or the values again.
func (s *Snapshot) Low(on bool) { s.low = on }

// Read fills dst (H,W) with a variable that Check has found. It returns an error if a file
// has been changed since it was opened.
func (s *Snapshot) Read(dst []float32, variable string) error {
	for _, o := range s.outputs {
		v := slices.Index(o.variables, variable)
		if v < 0 {
			continue
		}
		for _, f := range o.files {
			err := s.readFile(dst, f, v)
			if changed := f.file.Unchanged(); changed != nil { // which explains an error
				err = changed
			}
			if err != nil {
				return fmt.Errorf("%s: %w", f.Path, err)
			}
		}
	}
	return nil
}

func (s *Snapshot) readFile(dst []float32, f *File, variable int) error {
	for _, b := range f.blocks {
		if s.plane.meets(b) {
			if err := s.readBlock(dst, f, b, variable); err != nil {
				return err
			}
		}
	}
	return nil
}

// readBlock reads the cells of a block that are in the plane, and those between them.
func (s *Snapshot) readBlock(dst []float32, f *File, b block, variable int) error {
	stride := [3]int{1, b.whole[0], b.whole[0] * b.whole[1]}
	from, to := 0, 0 // of the values that hold the cells
	for i := range stride {
		first, n := b.skip[i], b.n[i]
		if i == s.plane.normal {
			first, n = first+s.plane.at-b.first[i], 1
		}
		from, to = from+first*stride[i], to+(first+n-1)*stride[i]
	}
	n := to - from + 1
	s.raw = slices.Grow(s.raw[:0], n*f.valueSize)[:n*f.valueSize]
	s.values = slices.Grow(s.values[:0], n)[:n]
	at := b.at + int64(f.valueSize)*(int64(variable)*int64(stride[2]*b.whole[2])+int64(from))
	if err := f.file.Fill(s.raw, at); err != nil {
		return err
	}
	floats.Convert(s.values, s.raw, floats.Lost(fmt.Sprintf("<f%d", f.valueSize), s.low))
	p := s.plane
	for y := range b.n[p.h] {
		row := dst[(b.first[p.h]+y)*s.W+b.first[p.w]:]
		for x := range b.n[p.w] {
			row[x] = s.values[y*stride[p.h]+x*stride[p.w]]
		}
	}
	return nil
}

// Close closes the files.
func (s *Snapshot) Close() {
	for _, f := range s.Files {
		f.Close()
	}
}
