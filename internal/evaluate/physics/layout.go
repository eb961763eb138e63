package physics

import (
	"math"
	"slices"
	"sync"

	"fmsr.example/fmsr/internal/field"
)

// Layout is what metrics know of the frames: their grid, and how many samples there are.
type Layout struct {
	Grid    field.Grid
	Factor  int
	Members int // samples of each frame

	shells *field.Shells
	bands  []Band
	well   []int // The Well's bin of each mode that rfft2 keeps
	lags   []int
	ffts   sync.Pool
}

// Band is the shells From <= k < To of wavenumbers. The mean, k = 0, is in none.
type Band struct {
	Name     string
	From, To int
}

// The bands' names. N is the number of cells along the longest side; the numbers are
// those of factor 2.
const (
	Low     = "low"     // 0 < k < N/8
	Mid     = "mid"     // N/8 <= k < N/4
	Lost    = "lost"    // N/4 <= k < N/2: what pooling loses
	Corners = "corners" // N/2 <= k: the corners of the square of modes
	All     = "all"     // every cell, unfiltered; of ensembles
)

// NewLayout returns the layout of frames on a grid, of which factor x factor cells were
// averaged, with that many samples of each.
func NewLayout(grid field.Grid, factor, members int) *Layout {
	l := &Layout{Grid: grid, Factor: factor, Members: members, shells: field.NewShells(grid), well: wellBinsOf(grid)}
	lost := grid.LostFrom(factor)
	edges := []float64{1, lost / 2, lost, lost * float64(factor), float64(l.shells.Len())}
	for i, name := range []string{Low, Mid, Lost, Corners} {
		l.bands = append(l.bands, Band{name, int(math.Ceil(edges[i])), int(math.Ceil(edges[i+1]))})
	}
	for lag := 1; lag <= min(grid.H, grid.W)/4; lag *= 2 {
		l.lags = append(l.lags, lag)
	}
	l.ffts.New = func() any { return field.NewFourier(grid) }
	return l
}

// cells is the number of cells of a plane.
func (l *Layout) cells() float64 { return float64(l.Grid.Cells()) }

// Plane is a field (H,W) in physical units, and its modes once they are asked for.
type Plane struct {
	*Layout
	Values []float32
	once   sync.Once
	hat    []complex128
}

func (l *Layout) plane(values []float32) *Plane { return &Plane{Layout: l, Values: values} }

// Modes returns rfft2(values)/(H W), (H, W/2+1).
func (p *Plane) Modes() []complex128 {
	p.once.Do(func() { p.hat = p.forward(p.Values) })
	return p.hat
}

func (l *Layout) forward(values []float32) []complex128 {
	f := l.ffts.Get().(*field.Fourier)
	defer l.ffts.Put(f)
	return f.Forward(values)
}

// band fills dst with the part of the plane in a band.
func (p *Plane) band(dst []float32, b int) {
	modes := slices.Clone(p.Modes())
	for i, k := range p.shells.Index {
		if int(k) < p.bands[b].From || int(k) >= p.bands[b].To {
			modes[i] = 0
		}
	}
	f := p.ffts.Get().(*field.Fourier)
	defer p.ffts.Put(f)
	f.Inverse(dst, modes)
}

// at returns the cell dy rows below and dx columns right of (y,x). ok is false if it is
// beyond an open edge.
func (l *Layout) at(y, x, dy, dx int) (i int, ok bool) {
	g := l.Grid
	y, oky := along(y+dy, g.H, g.Boundary[0])
	x, okx := along(x+dx, g.W, g.Boundary[1])
	return y*g.W + x, oky && okx
}

func along(i, n int, b field.Boundary) (int, bool) {
	if i >= 0 && i < n {
		return i, true
	}
	return (i + n) % n, b == field.Periodic
}
