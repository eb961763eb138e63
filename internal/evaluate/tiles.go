package evaluate

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math"
	"slices"

	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/picture"
)

// TileScale is the values at the ends of a field's colours in tiles.
type TileScale struct {
	Lo     float64 `json:"lo"`
	Hi     float64 `json:"hi"`
	Signed bool    `json:"signed,omitempty"` // zero is the middle, and white
}

// mostTile is the most pixels along a side of a tile. A larger field is averaged over
// blocks of cells.
const mostTile = 320

// Tiles draws the shown frames of each field of the truth and of each source without any
// text, for pages that lay them over each other: a PNG of the frames side by side, a pixel a
// cell, in the colours of the panels. The scale is that of the truth, at every step the same.
// Names are tiles_SOURCE/FIELD.
func (c *Comparison) Tiles() ([]Picture, error) {
	type strip struct {
		name   string
		field  int
		values []float32
	}
	var todo []strip
	add := func(suffix string, values []float32) {
		for i, field := range c.Fields {
			todo = append(todo, strip{"tiles" + suffix + "/" + field, i, values})
		}
	}
	add("_truth", c.shown.Truth)
	for _, src := range inOrder(c.Made) {
		add(src.suffix(), c.shown.Made[src])
	}
	scales, out := c.tileScales(), make([]Picture, len(todo))
	return out, parallel.Each(len(todo), func(i int) error {
		t, b := todo[i], bytes.Buffer{}
		if err := png.Encode(&b, c.strip(t.values, t.field, scales[t.field])); err != nil {
			return fmt.Errorf("picture %s: %w", t.name, err)
		}
		out[i] = Picture{Name: t.name, PNG: b.Bytes()}
		return nil
	})
}

// tileScales returns each field's scale, that of the truth.
func (c *Comparison) tileScales() (all []TileScale) {
	for i := range c.Fields {
		all = append(all, c.tileScale(i))
	}
	return all
}

// tileScale returns the range that all but a hundredth of the truth's values are within, of a
// signed field as far below zero as above it.
func (c *Comparison) tileScale(field int) TileScale {
	s := TileScale{Signed: c.signed(field)}
	var values []float64
	for n := range c.shown.Columns {
		for _, v := range c.plane(c.shown.Truth, n*len(c.Fields)+field) {
			x := float64(v)
			if s.Signed {
				x = math.Abs(x)
			}
			values = append(values, x)
		}
	}
	slices.Sort(values)
	if n := len(values); n > 0 && s.Signed {
		s.Hi = values[n-1-n/100]
		s.Lo = -s.Hi
	} else if n > 0 {
		s.Lo, s.Hi = values[n/200], values[n-1-n/200]
	}
	if !(s.Lo < s.Hi) { // a constant, or nothing
		s.Hi = max(1, math.Abs(s.Hi))
		s.Lo = -s.Hi
	}
	return s
}

// strip paints a field of the shown frames of values (N,C,H,W) side by side. Row 0 of a
// plane is at the bottom.
func (c *Comparison) strip(values []float32, field int, scale TileScale) image.Image {
	block := (max(c.Grid.H, c.Grid.W) + mostTile - 1) / mostTile
	h, w := (c.Grid.H+block-1)/block, (c.Grid.W+block-1)/block
	img := image.NewPaletted(image.Rect(0, 0, w*len(c.shown.Columns), h), picture.Palette(scale.Signed))
	for n := range c.shown.Columns {
		plane := c.plane(values, n*len(c.Fields)+field)
		for y := range h {
			for x := range w {
				img.SetColorIndex(n*w+x, h-1-y, scale.index(c.blockMean(plane, y*block, x*block, block)))
			}
		}
	}
	return img
}

func (c *Comparison) blockMean(plane []float32, y0, x0, block int) float64 {
	sum, count := 0.0, 0
	for y := y0; y < min(y0+block, c.Grid.H); y++ {
		for x := x0; x < min(x0+block, c.Grid.W); x++ {
			sum += float64(plane[y*c.Grid.W+x])
			count++
		}
	}
	return sum / float64(count)
}

// index returns the place of a value in picture.Palette; 0: it is not finite.
func (s TileScale) index(v float64) uint8 {
	if !Figure(v).Finite() {
		return 0
	}
	at := (v - s.Lo) / (s.Hi - s.Lo)
	return 1 + uint8(math.Round(254*min(max(at, 0), 1)))
}

// String returns the values at the ends of the colours, with their unit.
func (s TileScale) String(unit string) string {
	text := fmt.Sprintf("%.3g to %.3g", s.Lo, s.Hi)
	if s.Signed && s.Lo == -s.Hi {
		text = fmt.Sprintf("±%.3g", s.Hi)
	}
	if unit != "" {
		text += " " + unit
	}
	return text
}
