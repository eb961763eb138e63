package picture

import (
	"fmt"
	"image"
	"math"
)

// Field is a scalar field in physical units, row-major (H,W), row 0 at the bottom.
type Field struct {
	H, W int
	Data []float32
}

func (f Field) check() error {
	if f.H < 1 || f.W < 1 || len(f.Data) != f.H*f.W {
		return fmt.Errorf("%d values on %d x %d", len(f.Data), f.H, f.W)
	}
	return nil
}

// coarser averages blocks of n x n cells, smaller ones at the upper and right edges
// if n does not divide the field. A value that is not finite makes its block's mean
// not finite, so that it stays visible in the picture.
func (f Field) coarser(n int) Field {
	if n == 1 {
		return f
	}
	c := Field{H: (f.H + n - 1) / n, W: (f.W + n - 1) / n}
	c.Data = make([]float32, 0, c.H*c.W)
	for y := 0; y < f.H; y += n {
		for x := 0; x < f.W; x += n {
			c.Data = append(c.Data, f.mean(x, y, n))
		}
	}
	return c
}

// part returns a rectangle of cells, y upwards.
func (f Field) part(r image.Rectangle) Field {
	out := Field{H: r.Dy(), W: r.Dx()}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		out.Data = append(out.Data, f.Data[y*f.W+r.Min.X:y*f.W+r.Max.X]...)
	}
	return out
}

func (f Field) mean(x0, y0, n int) float32 {
	sum, count := 0.0, 0
	for y := y0; y < min(y0+n, f.H); y++ {
		for _, v := range f.Data[y*f.W+x0 : y*f.W+min(x0+n, f.W)] {
			sum += float64(v)
			count++
		}
	}
	return float32(sum / float64(count))
}

// paint returns the field as an image with scale x scale pixels for each cell.
func (f Field) paint(s colorScale, scale int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, f.W*scale, f.H*scale))
	for i, v := range f.Data {
		x, y := i%f.W*scale, (f.H-1-i/f.W)*scale // rows of pixels go down, rows of the field up
		shade := s.color(float64(v))
		for dy := range scale {
			for dx := range scale {
				img.SetRGBA(x+dx, y+dy, shade)
			}
		}
	}
	return img
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
