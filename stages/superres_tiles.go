package stages

import (
	"fmt"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/hostmem"
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// chooseTile sets the side of tiles to the side that the user asks for. Without one, it
// sets a side on the CPU, where the free memory is known, if a whole field does not fit.
// The error says so if the largest file's fields do not fit either way.
func (r *superres) chooseTile(device torchx.Device) error {
	multiple := r.loaded.Plan.Multiple()
	if r.Tile > 0 {
		if least := model.MinTile(multiple); r.Tile%multiple != 0 || r.Tile < least {
			return fmt.Errorf("tile %d: want a multiple of %d, as the network's levels halve the grid, and at least %d, for what tiles share", r.Tile, multiple, least)
		}
	}
	r.tile = r.Tile
	if device != torchx.CPU || len(r.files) == 0 {
		return nil
	}
	var largest pipeline.File
	for _, f := range r.files {
		if f.H*f.W > largest.H*largest.W {
			largest = f
		}
	}
	d := drawing{
		net: r.loaded.Plan, grid: largest.Grid.Finer(r.loaded.Input.Factor), fields: len(r.loaded.Channels),
		samples: r.Samples, batch: max(1, min(r.Batch, r.total()*r.Samples)), coloured: r.loaded.Flow.Measured != nil,
	}
	left := hostmem.Left()
	if r.Tile == 0 {
		r.tile = d.tileFor(left)
	}
	if lack := d.lack(r.tile, left); lack != nil {
		return fmt.Errorf("%s: %w", largest.Path, lack)
	}
	if r.tile > 0 && r.Tile == 0 {
		r.env.Progress.Note("in tiles of %d x %d, blended at every step: %s cells at once would take about %.1f GB, and %.1f GB of memory are left",
			r.tile, r.tile, d.grid, d.need(0)/1e9, float64(left)/1e9)
	}
	return nil
}

// drawing is what the memory of a run depends on.
type drawing struct {
	net                    model.Net
	grid                   field.Grid // fine
	fields, samples, batch int
	coloured               bool // the noise has a spectrum
}

// Copies of a fine frame's fields in host memory, measured as the peak of whole runs.
const (
	copiesDrawn    = 20 // of each sample in a batch, by the solver that holds most: x, x_lo, slopes, noise, what the sinks make of it
	copiesEnsemble = 8  // of an ensemble's mean and variance, in double
)

// fieldBytes estimates the memory of the fields: those of the batch being drawn, and
// all samples of its frames.
func (d drawing) fieldBytes() float64 {
	copies := copiesDrawn*float64(d.batch) + float64(max(d.samples, d.batch))
	if d.samples > 1 {
		copies += copiesEnsemble
	}
	values := copies * float64(d.fields*d.grid.Cells())
	if d.coloured { // twice what model.GridBase has: gains and two matrices
		values += 2 * float64(d.fields*d.grid.Cells()+d.grid.H*d.grid.H+d.grid.W*d.grid.W)
	}
	return 4 * values
}

// netBytes estimates the memory of the network on tiles of that side; 0: on whole fields.
func (d drawing) netBytes(tile int) float64 {
	h, w := d.grid.H, d.grid.W
	if tile > 0 {
		h, w = min(h, tile), min(w, tile)
	}
	return float64(d.batch) * float64(d.net.SampleBytes(h, w))
}

// need estimates the memory of all. Weights as they are stored are in memory already.
func (d drawing) need(tile int) float64 { return d.fixedBytes() + d.netBytes(tile) }

// fixedBytes estimates the memory that does not depend on tiles.
func (d drawing) fixedBytes() float64 { return d.fieldBytes() + float64(model.PackedBytes(d.net)) }

// tileFor returns 0 if whole fields fit in left bytes. Else it returns the side of the
// largest tile whose network takes half of what the rest leaves, or the smallest tile.
func (d drawing) tileFor(left int64) int {
	if d.need(0) <= float64(left) {
		return 0
	}
	multiple, room := d.net.Multiple(), (float64(left)-d.fixedBytes())/2
	tile := model.MinTile(multiple)
	for d.netBytes(tile+multiple) <= room {
		tile += multiple
	}
	return tile
}

// lack returns an error if tiles of that side need more than left bytes; nil: they fit.
func (d drawing) lack(tile int, left int64) error {
	if d.need(tile) <= float64(left) {
		return nil
	}
	lack := &hostmem.Lack{Need: d.need(tile), Left: left}
	lack.What = fmt.Sprintf("drawing %d fields on %s cells", d.fields, d.grid)
	if d.samples > 1 || d.batch > 1 {
		lack.What = fmt.Sprintf("drawing %d samples, %d at once, of %d fields on %s cells", d.samples, d.batch, d.fields, d.grid)
	}
	if tile > 0 {
		lack.What += fmt.Sprintf(" in tiles of %d x %d", tile, tile)
	}
	one := d
	one.samples, one.batch = 1, 1
	smallest := model.MinTile(d.net.Multiple())
	switch {
	case one.need(smallest) > float64(left):
		lack.Advice = "cut the fields into parts, or use a machine with more memory"
	case d.batch > 1:
		lack.Advice = "lower superres.batch (--sample-batch)"
	case d.samples > 1:
		lack.Advice = "lower superres.samples (--samples)"
	default:
		lack.Advice = "lower superres.tile (--tile)"
	}
	return lack
}
