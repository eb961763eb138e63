package dataset

import (
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/athenak"
	"fmsr.example/fmsr/internal/format/hdf5"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/infile"
)

// Arrays is a seed's open files, read as frames (H,W,C).
//
//	one array (F,H,W,C)       -- frame i: read, and converted to float32 --
//	one array (F,H,W) a field -- frame i: assembled ------------------------
//	AthenaK's files, joined   -- the one frame: assembled ------------------
//	files of each frame       -- frame i: opened, and read in these ways ---
type Arrays struct {
	F, H, W, C int           // frames, grid and channels
	Domain     *field.Domain // what the files say of it; nil: nothing

	files  []*array
	joined *athenak.Snapshot // instead of files
	plane  []float32         // scratch: one field of a frame; nil if an array holds them all
	seen   []seen            // every array, in the order of the frames

	of      Files           // with files of each frame, or joined ones: these
	numbers []int           // of the frames; nil: 0 to F-1
	ends    []int           // of each frame's part of seen
	moments []frames.Moment // of each frame; nil: not known
	open    *Arrays         // the files of one frame
	at      int             // of the frame at this place in numbers
}

// seen is an array's file when it was opened.
type seen struct {
	path  string
	stamp infile.Stamp
}

// Open opens a seed's files and checks that their shapes fit together. Close it.
func (f Files) Open() (*Arrays, error) { return f.open("") }

// open is Open for arrays that may lack the optional axes.
func (f Files) open(optional string) (*Arrays, error) {
	a := &Arrays{}
	var err error
	switch {
	case f.Snapshots != nil:
		err = a.openFrames(f)
	case f.Joined != nil:
		err = a.join(f)
	default:
		err = a.openArrays(f, optional)
	}
	if err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// openArrays opens the files of all frames.
func (a *Arrays) openArrays(f Files, optional string) error {
	paths, names := f.Paths(), []string{f.Array}
	byName, err := f.byName()
	switch {
	case err != nil:
		return err
	case byName:
		names = f.Names
	}
	oneField := byName || f.Fields != nil
	if oneField || len(f.Names) == 1 {
		optional += "C"
	}
	for _, path := range paths {
		for _, name := range names {
			if err := a.add(f, path, name, optional); err != nil {
				return err
			}
		}
	}
	if oneField {
		a.plane = make([]float32, a.H*a.W)
	}
	return nil
}

// byName reports whether the file is an npz, or HDF5, with an array for each field.
func (f Files) byName() (bool, error) {
	if f.Array != "" || f.Fields != nil {
		return false, nil
	}
	var there []string
	var err error
	known := hdf5.Is(f.Path) // its names are the fields'
	if known {
		there, _, err = hdf5.About(f.Path)
	} else {
		there, err = npy.Arrays(f.Path)
	}
	if err != nil {
		return false, err
	}
	var missing []string
	for _, name := range f.Names {
		if !slices.Contains(there, name) {
			missing = append(missing, name)
		}
	}
	if n := len(missing); n > 0 && (n < len(f.Names) || known && there != nil) {
		return false, fmt.Errorf("%s: no array for the fields %v: it has %v", f.Path, missing, there)
	}
	return len(f.Names) > 0 && len(missing) == 0, nil
}

// add opens an array and checks its shape against the first one's.
func (a *Arrays) add(f Files, path, name, optional string) error {
	next, err := f.openArray(path, name, optional)
	if err != nil {
		return err
	}
	a.files, a.seen = append(a.files, next), append(a.seen, seen{path, next.Stamp()})
	first := a.files[0]
	if next.f != first.f || next.h != first.h || next.w != first.w {
		return fmt.Errorf("%s: shape %v, but %s has %v", next.path, next.shape, first.path, first.shape)
	}
	a.F, a.H, a.W, a.C, a.moments, a.Domain = first.f, first.h, first.w, a.C+next.c, first.moments, first.domain
	return nil
}

// openFrames opens the files of each frame in turn, and leaves those of the last one open.
func (a *Arrays) openFrames(f Files) error {
	a.of, a.numbers = f, f.numbers()
	for i := range a.numbers {
		if err := a.openFrame(i); err != nil {
			return err
		}
		one := a.open
		if i == 0 {
			a.H, a.W, a.C, a.Domain = one.H, one.W, one.C, one.Domain
		}
		if one.H != a.H || one.W != a.W || one.C != a.C || one.joined == nil && len(one.seen)*i != len(a.seen) {
			return fmt.Errorf("%s: grid %d x %d and %d channels in %d arrays, but %s has %d x %d and %d in %d",
				one.seen[0].path, one.H, one.W, one.C, len(one.seen), a.seen[0].path, a.H, a.W, a.C, len(a.seen)/i)
		}
		if (a.Domain == nil) != (one.Domain == nil) || a.Domain != nil && *one.Domain != *a.Domain {
			return fmt.Errorf("%s: %s, but %s: %s", one.seen[0].path, one.Domain, a.seen[0].path, a.Domain)
		}
		a.F, a.seen, a.moments = i+1, append(a.seen, one.seen...), append(a.moments, one.moments...)
		a.ends = append(a.ends, len(a.seen))
	}
	return nil
}

// openFrame opens the files of the frame at place i, and closes those of another one.
func (a *Arrays) openFrame(i int) error {
	if a.open != nil {
		a.open.Close()
		a.open = nil
	}
	files := a.of.Snapshots[a.numbers[i]]
	files.Form, files.View = a.of.Form, a.of.View
	var err error
	a.open, err = files.open("F")
	a.at = i
	return err
}

// turnTo opens the files of the frame at place i, if they are not open. They must be those
// that Open has seen.
func (a *Arrays) turnTo(i int) error {
	if a.open != nil && a.at == i {
		return nil
	}
	if err := a.openFrame(i); err != nil {
		return err
	}
	from := 0
	if i > 0 {
		from = a.ends[i-1]
	}
	return a.open.were(stampsOf(a.seen[from:a.ends[i]]))
}

// Numbers returns the numbers of the frames.
func (a *Arrays) Numbers() []int {
	if a.numbers != nil {
		return slices.Clone(a.numbers)
	}
	return Numbers(a.F)
}

// Stamps returns the stamp of each array's file, in the order of the frames.
func (a *Arrays) Stamps() []infile.Stamp { return stampsOf(a.seen) }

func stampsOf(all []seen) []infile.Stamp {
	stamps := make([]infile.Stamp, len(all))
	for i, s := range all {
		stamps[i] = s.stamp
	}
	return stamps
}

// were returns an error unless the files had these stamps when they were opened.
func (a *Arrays) were(before []infile.Stamp) error {
	for i, s := range a.seen {
		if err := s.stamp.Was(before[i]); err != nil {
			return fmt.Errorf("%s: %w", s.path, err)
		}
	}
	return nil
}

// Frame returns the frame of that number, (H,W,C) float32. Release it; it outlives Close.
func (a *Arrays) Frame(mem memory.Allocator, number int) (*memory.Buffer, error) {
	b := frames.NewBuffer(mem, a.H*a.W*a.C)
	if err := a.read(frames.Floats(b), a.place(number)); err != nil {
		b.Release()
		return nil, fmt.Errorf("frame %d: %w", number, err)
	}
	return b, nil
}

// place returns the place of a frame of that number.
func (a *Arrays) place(number int) int {
	if a.numbers == nil {
		return number
	}
	i, _ := slices.BinarySearch(a.numbers, number)
	return i
}

// Moment returns when the frame of that number is of.
func (a *Arrays) Moment(number int) frames.Moment {
	if a.moments == nil {
		return frames.Moment{}
	}
	return a.moments[a.place(number)]
}

// read fills dst (H,W,C) with the frame at place i.
func (a *Arrays) read(dst []float32, i int) error {
	if a.numbers != nil {
		if err := a.turnTo(i); err != nil {
			return err
		}
		return a.open.read(dst, 0)
	}
	if a.plane == nil {
		return a.files[0].frame(dst, i)
	}
	for c := range a.C {
		if err := a.readPlane(c, i); err != nil {
			return err
		}
		for cell, v := range a.plane {
			dst[cell*a.C+c] = v
		}
	}
	return nil
}

// readPlane fills plane with field c of the frame at place i.
func (a *Arrays) readPlane(c, i int) error {
	if a.joined != nil {
		return a.joined.Read(a.plane, a.of.View.Variables[c])
	}
	return a.files[c].frame(a.plane, i)
}

// stored is open values of a type that Low asks about.
type stored interface {
	Double() bool
	Low(on bool)
}

// stored returns what is open.
func (a *Arrays) stored() (all []stored) {
	if a.open != nil {
		return a.open.stored()
	}
	if a.joined != nil {
		return []stored{a.joined}
	}
	for _, f := range a.files {
		all = append(all, f)
	}
	return all
}

// pathOf returns the file of a channel.
func (a *Arrays) pathOf(c int) string {
	switch {
	case a.open != nil:
		return a.open.pathOf(c)
	case a.joined != nil:
		return a.seen[0].path
	}
	return a.files[min(c, len(a.files)-1)].path
}

// Close closes the files.
func (a *Arrays) Close() {
	if a.open != nil {
		a.open.Close()
	}
	if a.joined != nil {
		a.joined.Close()
	}
	for _, f := range a.files {
		f.Close()
	}
}
