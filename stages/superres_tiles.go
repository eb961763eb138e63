package stages

import (
	"fmt"
	"os"

	"fmsr/internal/hostmem"
	"fmsr/internal/torchx"
	"fmsr/model"
)

// chooseTile sets the side of tiles to the side that the user asks for. Without one, it
// sets a side on the CPU, where the free memory is known, if a whole field does not fit.
func (r *superres) chooseTile(device torchx.Device) error {
	multiple := r.loaded.Plan.Multiple()
	if r.Tile > 0 {
		if least := model.MinTile(multiple); r.Tile%multiple != 0 || r.Tile < least {
			return fmt.Errorf("tile %d: want a multiple of %d, as the network's levels halve the grid, and at least %d, for what tiles share", r.Tile, multiple, least)
		}
		r.tile = r.Tile
		return nil
	}
	if device != torchx.CPU {
		return nil
	}
	var h, w int
	for _, f := range r.files {
		if factor := r.loaded.Input.Factor; f.H*f.W*factor*factor > h*w {
			h, w = f.H*factor, f.W*factor
		}
	}
	left := hostmem.Available(os.DirFS("/")) / int64(max(1, r.Batch))
	if r.tile = tileFor(r.loaded.Plan, h, w, left); r.tile > 0 {
		r.env.Progress.Note("in tiles of %d x %d, blended at every step: %d x %d at once would take about %.1f GB, and %.1f GB of memory are left",
			r.tile, r.tile, h, w, gigabytes(r.loaded.Plan.SampleBytes(h, w)), gigabytes(left))
	}
	return nil
}

func gigabytes(n int64) float64 { return float64(n) / 1e9 }

// tileFor returns 0 if a whole h x w field fits in left bytes. Else it returns the side
// of the largest tile that takes half of them, which leaves room for the fields.
func tileFor(net model.Net, h, w int, left int64) int {
	if net.SampleBytes(h, w) <= left {
		return 0
	}
	multiple := net.Multiple()
	tile := model.MinTile(multiple)
	for net.SampleBytes(tile+multiple, tile+multiple) <= left/2 {
		tile += multiple
	}
	return tile
}
