// Command pool cuts one field of one frame out of a fine file (F,H,W,C), and writes it and
// its average over 2 x 2 cells: a truth and an input for superres, (1,H,W,1) and
// (1,H/2,W/2,1).
//
//	pool FINE.npy CHANNEL FRAME TRUTH.npy INPUT.npy
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/npy"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pool:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 5 {
		return fmt.Errorf("want FINE.npy CHANNEL FRAME TRUTH.npy INPUT.npy, got %d arguments", len(args))
	}
	shape, values, err := npy.ReadFile(args[0])
	if err != nil {
		return err
	}
	if len(shape) != 4 {
		return fmt.Errorf("%s: shape %v, want (F,H,W,C)", args[0], shape)
	}
	channel, err := strconv.Atoi(args[1])
	if err != nil || channel < 0 || channel >= shape[3] {
		return fmt.Errorf("channel %s of %d", args[1], shape[3])
	}
	frame, err := strconv.Atoi(args[2])
	if err != nil || frame < 0 || frame >= shape[0] {
		return fmt.Errorf("frame %s of %d", args[2], shape[0])
	}
	grid := field.Grid{H: shape[1], W: shape[2]}
	truth, input := make([]float32, grid.Cells()), make([]float32, grid.Coarser(2).Cells())
	field.Gather(truth, values[frame*grid.Cells()*shape[3]:], channel, shape[3])
	field.Pool(input, truth, grid, 2)
	for _, out := range []struct {
		path   string
		grid   field.Grid
		values []float32
	}{{args[3], grid, truth}, {args[4], grid.Coarser(2), input}} {
		if err := os.MkdirAll(filepath.Dir(out.path), 0o777); err != nil {
			return err
		}
		if err := npy.WriteFile(out.path, []int{1, out.grid.H, out.grid.W, 1}, out.values); err != nil {
			return err
		}
	}
	return nil
}
