package physics

import (
	"math"

	"fmsr.example/fmsr/internal/field"
)

// divergence sums, of (Bx,By): the cells, the squares of the corner and of the central
// divergence and of the central curl; then over the modes |k.B|^2 and |k x B|^2.
var divergence = &Tally{
	Name: "divergence", Of: []string{"Bx", "By"},
	Size: func(*Layout) int { return divergenceSums },
	Add: func(sums []float64, s *Sample) {
		bx, by := s.Made[0], s.Made[1]
		dy, dx := s.Grid.Spacing()
		for y := range s.Grid.H {
			for x := range s.Grid.W {
				if corner, ok := s.cornerDivergence(bx.Values, by.Values, y, x, dy, dx); ok {
					sums[cornerCells]++
					sums[cornerSquare] += corner * corner
				}
				if div, curl, ok := s.central(bx.Values, by.Values, y, x, dy, dx); ok {
					sums[centralCells]++
					sums[centralSquare] += div * div
					sums[curlSquare] += curl * curl
				}
			}
		}
		s.spectralDivergence(sums, bx.Modes(), by.Modes())
	},
}

// The sums of divergence.
const (
	cornerCells = iota
	cornerSquare
	centralCells
	centralSquare
	curlSquare
	modesAlong  // |k.B|^2
	modesAcross // |k x B|^2
	divergenceSums
)

// cornerDivergence returns the divergence at the corner right of and below a cell's
// middle: the differences along an axis, averaged across it.
func (l *Layout) cornerDivergence(bx, by []float32, y, x int, dy, dx float64) (div float64, ok bool) {
	right, ok1 := l.at(y, x, 0, 1)
	below, ok2 := l.at(y, x, 1, 0)
	both, ok3 := l.at(y, x, 1, 1)
	here := y*l.Grid.W + x
	f := func(v []float32, i int) float64 { return float64(v[i]) }
	along := (f(bx, right) + f(bx, both) - f(bx, here) - f(bx, below)) / (2 * dx)
	down := (f(by, below) + f(by, both) - f(by, here) - f(by, right)) / (2 * dy)
	return along + down, ok1 && ok2 && ok3
}

// central returns the divergence and the curl, dBy/dx - dBx/dy, at a cell by central
// differences.
func (l *Layout) central(bx, by []float32, y, x int, dy, dx float64) (div, curl float64, ok bool) {
	left, ok1 := l.at(y, x, 0, -1)
	right, ok2 := l.at(y, x, 0, 1)
	above, ok3 := l.at(y, x, -1, 0)
	below, ok4 := l.at(y, x, 1, 0)
	difference := func(v []float32, from, to int, d float64) float64 {
		return (float64(v[to]) - float64(v[from])) / (2 * d)
	}
	div = difference(bx, left, right, dx) + difference(by, above, below, dy)
	curl = difference(by, left, right, dx) - difference(bx, above, below, dy)
	return div, curl, ok1 && ok2 && ok3 && ok4
}

// spectralDivergence adds |k.B|^2 and |k x B|^2. At a Nyquist wavenumber, where the sign of
// k is not known, that component of k is 0.
func (l *Layout) spectralDivergence(sums []float64, bx, by []complex128) {
	half := l.Grid.W/2 + 1
	ly, lx := l.Grid.Lengths()
	for i, bx := range bx {
		iy, ix := i/half, i%half
		if iy > l.Grid.H/2 {
			iy -= l.Grid.H
		}
		ky, kx := complex(2*math.Pi*float64(iy)/ly, 0), complex(2*math.Pi*float64(ix)/lx, 0)
		if 2*iy == l.Grid.H {
			ky = 0
		}
		if 2*ix == l.Grid.W {
			kx = 0
		}
		along, across := kx*bx+ky*by[i], kx*by[i]-ky*bx
		w := l.shells.Weight(i)
		sums[modesAlong] += w * (real(along)*real(along) + imag(along)*imag(along))
		sums[modesAcross] += w * (real(across)*real(across) + imag(across)*imag(across))
	}
}

// current compares jz with the curl of B: it sums (jz - s curl)^2 and (s curl)^2. The truth
// says what s is, by least squares, since it holds the unit of length.
var current = &Tally{
	Name: "current", Of: []string{"Bx", "By", "jz"},
	Size: func(*Layout) int { return 2 },
	Prepare: func(l *Layout, truth []*Plane) any {
		var cross, square float64
		l.eachCurl(truth, func(curl, jz float64) {
			cross += curl * jz
			square += curl * curl
		})
		return cross / square
	},
	Add: func(sums []float64, s *Sample) {
		scale := s.Prepared.(float64)
		s.eachCurl(s.Made, func(curl, jz float64) {
			d := jz - scale*curl
			sums[0] += d * d
			sums[1] += scale * curl * scale * curl
		})
	},
}

// eachCurl calls do with the curl of B and jz at each cell that has neighbours.
func (l *Layout) eachCurl(planes []*Plane, do func(curl, jz float64)) {
	dy, dx := l.Grid.Spacing()
	for y := range l.Grid.H {
		for x := range l.Grid.W {
			if _, curl, ok := l.central(planes[0].Values, planes[1].Values, y, x, dy, dx); ok {
				do(curl, float64(planes[2].Values[y*l.Grid.W+x]))
			}
		}
	}
}

// pooling sums (pool(f) - coarse)^2, and the squares of coarse about its mean.
var pooling = &Tally{
	Name: "pooling",
	Size: func(*Layout) int { return 2 },
	Add: func(sums []float64, s *Sample) {
		if s.Coarse == nil {
			return
		}
		pooled := make([]float32, len(s.Coarse))
		field.Pool(pooled, s.Made[0].Values, s.Grid, s.Factor)
		about := mean(s.Coarse)
		for i, c := range s.Coarse {
			d, v := float64(pooled[i])-float64(c), float64(c)-about
			sums[0] += d * d
			sums[1] += v * v
		}
	},
}

// rootRatio returns the root of a sum's mean over another's.
func rootRatio(of, ofCount, over, overCount int) func(Totals) []Point {
	return func(t Totals) []Point {
		return one(math.Sqrt(t.Sums[of] / t.Sums[ofCount] / (t.Sums[over] / t.Sums[overCount])))
	}
}

var constraintMetrics = join(
	[]Metric{
		{
			Name: "divb_corner", Unit: "1", Tally: divergence, Truth: true,
			Doc:    "Root mean square of div B at the cells' corners (average across, difference along) over that of the curl. The truth's is right.",
			Values: rootRatio(cornerSquare, cornerCells, curlSquare, centralCells),
		},
		{
			Name: "divb_central", Unit: "1", Tally: divergence, Truth: true,
			Doc:    "The same by central differences at the cells. The truth's own is not 0 where a code keeps another form.",
			Values: rootRatio(centralSquare, centralCells, curlSquare, centralCells),
		},
		{
			Name: "divb_spectral", Unit: "1", Tally: divergence, Truth: true,
			Doc:    "Root of the sum of |k.B|^2 over that of |k x B|^2: the same of the Fourier series.",
			Values: func(t Totals) []Point { return one(math.Sqrt(t.Sums[modesAlong] / t.Sums[modesAcross])) },
		},
	},
	quantity(Metric{Name: "curl_dissipation", Unit: "code units", Tally: divergence, Doc: "Mean of the squared curl of B by central differences."},
		func(_ Totals, sums []float64) float64 { return sums[curlSquare] / sums[centralCells] }),
	[]Metric{
		{
			Name: "jz_residual", Unit: "1", Tally: current, Truth: true,
			Doc:    "Root mean square of jz less the curl of B by central differences, over the curl's. The truth's is right.",
			Values: func(t Totals) []Point { return one(math.Sqrt(t.Sums[0] / t.Sums[1])) },
		},
		{
			Name: "pooling_residual", Unit: "1", Tally: pooling, Truth: true,
			Doc:    "Root mean square of the averaged field less the coarse input, over the input's deviation. 0 is right.",
			Values: func(t Totals) []Point { return one(math.Sqrt(t.Sums[0] / t.Sums[1])) },
		},
	},
)
