package fieldfile

import (
	"io"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/format/hdf5"
	"fmsr.example/fmsr/internal/frames"
)

// well is an HDF5 file in The Well's layout. libhdf5 writes to places of a file by its path,
// so it gets a file of its own, which is copied to the Output in the end. That file has no name
// once it is open, so that nothing is left of it.
type well struct {
	*hdf5.Writer
	out   io.Writer
	file  *os.File
	cells int
	times []float64
}

// newWell starts a file. The fields of each column behind the first have the column's ending:
// Bx and Bx_lo.
func newWell(out Output, l Layout) (*well, error) {
	file, err := os.CreateTemp(filepath.Dir(out.Path()), "well-")
	if err != nil {
		return nil, err
	}
	grid := l.Grid
	grid.H, grid.W = l.H, l.W
	of := hdf5.Trajectory{Name: l.Name, Fields: l.Channels, Grid: grid, Frames: l.Rows[0]}
	if len(l.Columns) > 1 {
		for _, name := range l.Channels {
			of.Fields = append(of.Fields[:len(of.Fields):len(of.Fields)], name+"_lo")
		}
	}
	w := &well{out: out, file: file, cells: grid.Cells()}
	w.Writer, err = hdf5.Create(file.Name(), of)
	if gone := os.Remove(file.Name()); err == nil {
		err = gone
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return w, nil
}

func (w *well) write(origins []frames.Origin, tensors []*memory.Buffer) error {
	for i, origin := range origins {
		var fields [][]float32
		for _, t := range tensors {
			values := frames.Floats(t)
			size := len(values) / len(origins)
			for c := 0; c < size; c += w.cells {
				fields = append(fields, values[i*size+c:][:w.cells])
			}
		}
		if err := w.Write(fields...); err != nil {
			return err
		}
		time := float64(origin.Frame)
		if origin.Moment.Known {
			time = origin.Moment.Time
		}
		w.times = append(w.times, time)
	}
	return nil
}

func (w *well) end() error {
	if err := w.End(w.times); err != nil {
		return err
	}
	if _, err := w.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	// an Output counts and hashes in Write only, so its ReadFrom is hidden
	if _, err := io.Copy(struct{ io.Writer }{w.out}, w.file); err != nil {
		return err
	}
	return w.file.Close()
}

func (w *well) close() {
	w.Close()
	w.file.Close()
}
