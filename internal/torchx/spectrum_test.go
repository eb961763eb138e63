package torchx

import (
	"fmt"
	"math"
	"testing"

	"fmsr.example/fmsr/internal/testkit/golden"
)

// grids has even, odd and oblong grids.
var grids = [][2]int64{{8, 8}, {7, 7}, {6, 9}, {9, 6}, {4, 10}, {1, 5}}

// TestParseval checks that the power of the modes, each counted as often as it
// occurs in the whole plane, sums to the mean square.
func TestParseval(t *testing.T) {
	for _, g := range grids {
		t.Run(fmt.Sprintf("%dx%d", g[0], g[1]), func(t *testing.T) {
			inThread(t, func(s *Scope) error {
				x, xs := random(s, 1, 3, g[0], g[1])
				p := s.PowerSpectrum2d(x)
				half := g[1]/2 + 1
				if got, want := fmt.Sprint(p.Shape()), fmt.Sprint([]int64{3, g[0], half}); got != want {
					return fmt.Errorf("shape %s, want %s", got, want)
				}
				powers := make([]float64, Numel(p))
				Read(s, p, powers)
				cells := int(g[0] * g[1])
				for n := range 3 {
					sum, square := 0.0, 0.0
					for i, v := range powers[n*int(g[0]*half) : (n+1)*int(g[0]*half)] {
						weight := 2.0
						if kx := int64(i) % half; kx == 0 || 2*kx == g[1] {
							weight = 1
						}
						sum += weight * v
					}
					for _, v := range xs[n*cells : (n+1)*cells] {
						square += v * v / float64(cells)
					}
					golden.Near(t, "sum over modes", sum, square, 1e-14*float64(cells))
				}
				return s.Err()
			})
		})
	}
}

// TestPowerOfAWave checks that 3 + 2 cos(2 pi (y ky/H + x kx/W)) has power 9 at (0,0) and 1
// at (ky,kx), and nowhere else in the half plane.
func TestPowerOfAWave(t *testing.T) {
	const ky, kx = 3, 2
	for _, g := range grids[:5] {
		h, w := g[0], g[1]
		half := w/2 + 1
		if 2*kx >= w {
			t.Fatalf("%d x %d: the wave's mirror image lies in the half plane too", h, w)
		}
		inThread(t, func(s *Scope) error {
			x := s.Full(0, Float64, CPU, h, w)
			wave := make([]float64, h*w)
			for i := range wave {
				y, x := float64(int64(i)/w), float64(int64(i)%w)
				wave[i] = 3 + 2*math.Cos(2*math.Pi*(y*ky/float64(h)+x*kx/float64(w)))
			}
			Write(s, x, wave)
			near(t, s, fmt.Sprintf("power on %d x %d", h, w), s.PowerSpectrum2d(x), 1e-14, func(i int) float64 {
				switch int64(i) {
				case 0:
					return 9
				case ky%h*half + kx:
					return 1
				}
				return 0
			})
			return s.Err()
		})
	}
}
