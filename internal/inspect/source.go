package inspect

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/dataset/exportset"
	"fmsr.example/fmsr/internal/dataset/guess"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/arrowtensor"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/framecache"
	"fmsr.example/fmsr/internal/store/infile"
)

// OfSet is the frames of npy and npz files.
func OfSet(s *guess.Set) Source {
	src := Source{Fields: s.Form.Names, Grid: field.Grid{H: s.H, W: s.W}, Frames: s.Frames()}
	src.Each = func(ctx context.Context, want func(int) bool, visit func(frames.Origin, []float32) error) error {
		planes := make([]float32, len(src.Fields)*src.Grid.Cells())
		i := 0
		for _, seed := range s.Seeds {
			err := eachOf(ctx, seed, &i, want, func(o frames.Origin, values []float32) error {
				n := src.Grid.Cells()
				for c := range src.Fields {
					field.Gather(planes[c*n:][:n], values, c, len(src.Fields))
				}
				return visit(o, planes)
			})
			if err != nil {
				return fmt.Errorf("seed %d: %w", seed.Seed, err)
			}
		}
		return nil
	}
	return src
}

// eachOf visits the frames (H,W,C) of a seed. at counts them on.
func eachOf(ctx context.Context, seed guess.Seed, at *int, want func(int) bool, visit func(frames.Origin, []float32) error) error {
	a, err := seed.Files.Open()
	if err != nil {
		return err
	}
	defer a.Close()
	for _, number := range seed.Frames {
		i := *at
		*at++
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !want(i) {
			continue
		}
		b, err := a.Frame(memory.DefaultAllocator, number)
		if err != nil {
			return err
		}
		err = visit(frames.Origin{Seed: seed.Seed, Frame: number}, frames.Floats(b))
		b.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// OfExport is x_hi of an exported set's Arrow files.
func OfExport(dir string, m exportset.Manifest) Source {
	src := Source{Fields: m.ChannelNames, Grid: field.Grid{H: m.H, W: m.W}}
	for _, f := range m.Files {
		src.Frames += f.Rows
	}
	src.Each = func(ctx context.Context, want func(int) bool, visit func(frames.Origin, []float32) error) error {
		i := 0
		for _, listed := range m.Files {
			rows, err := m.Open(dir, listed, false)
			if err != nil {
				return err
			}
			err = eachRow(ctx, rows.File, &i, want, visit)
			rows.Close()
			if err != nil {
				return fmt.Errorf("%s: %w", filepath.Join(dir, listed.Path), err)
			}
		}
		return nil
	}
	return src
}

// OfArrow is the first tensor, x_hi, of an Arrow file that export wrote.
func OfArrow(f *arrowtensor.File) Source {
	return Source{
		Fields: f.Channels, Grid: field.Grid{H: f.H, W: f.W}, Frames: len(f.Rows),
		Each: func(ctx context.Context, want func(int) bool, visit func(frames.Origin, []float32) error) error {
			i := 0
			return eachRow(ctx, f, &i, want, visit)
		},
	}
}

// eachRow visits the rows of an Arrow file. at counts them on.
func eachRow(ctx context.Context, f *arrowtensor.File, at *int, want func(int) bool, visit func(frames.Origin, []float32) error) error {
	b := frames.NewBuffer(memory.DefaultAllocator, f.FrameBytes()/4)
	defer b.Release()
	for row := range f.Rows {
		i := *at
		*at++
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !want(i) {
			continue
		}
		if err := f.Read(b.Bytes(), row, 0); err != nil {
			return err
		}
		if err := visit(f.Rows[row].Origin, frames.Floats(b)); err != nil {
			return err
		}
	}
	return nil
}

// OfCache is x_hi of the frames of an arrow_cache.
func OfCache(dir string, c framecache.Contents) Source {
	return Source{
		Fields: c.Channels, Grid: field.Grid{H: c.H, W: c.W}, Frames: len(c.Frames),
		Each: func(ctx context.Context, want func(int) bool, visit func(frames.Origin, []float32) error) error {
			f, err := infile.Open(filepath.Join(dir, framecache.Frames))
			if err != nil {
				return err
			}
			defer f.Close()
			b := frames.NewBuffer(memory.DefaultAllocator, int(c.FrameBytes()/4))
			defer b.Release()
			for i, e := range c.Frames {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if !want(i) {
					continue
				}
				if err := f.Fill(b.Bytes(), e.Offset); err != nil {
					return fmt.Errorf("%s: %w", f.Name(), err)
				}
				if err := visit(frames.Origin{Seed: e.Seed, Frame: e.Frame}, frames.Floats(b)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
