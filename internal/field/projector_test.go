package field_test

import (
	"fmt"
	"math"
	"math/cmplx"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
)

// box has fields Bx, By, jz and density on a grid, in float64, and the operators that the
// constraints are made of, written out cell by cell.
type box struct {
	field.Grid
	factor int
}

// at returns the index of a cell, however far beyond the edges.
func (b box) at(y, x int) int { return (y+2*b.H)%b.H*b.W + (x+2*b.W)%b.W }

// each returns a plane of a function of the cell.
func (b box) each(f func(y, x int) float64) []float64 {
	out := make([]float64, b.Cells())
	for i := range out {
		out[i] = f(i/b.W, i%b.W)
	}
	return out
}

// slopes returns central differences along y and along x.
func (b box) slopes(f []float64) (dy, dx []float64) {
	sy, sx := b.Spacing()
	return b.each(func(y, x int) float64 { return (f[b.at(y+1, x)] - f[b.at(y-1, x)]) / (2 * sy) }),
		b.each(func(y, x int) float64 { return (f[b.at(y, x+1)] - f[b.at(y, x-1)]) / (2 * sx) })
}

// corners returns, at the corner above and right of each cell, the differences along an
// axis, averaged across it.
func (b box) corners(f []float64) (dy, dx []float64) {
	sy, sx := b.Spacing()
	at := func(y, x int) float64 { return f[b.at(y, x)] }
	return b.each(func(y, x int) float64 { return (at(y+1, x) - at(y, x) + at(y+1, x+1) - at(y, x+1)) / (2 * sy) }),
		b.each(func(y, x int) float64 { return (at(y, x+1) - at(y, x) + at(y+1, x+1) - at(y+1, x)) / (2 * sx) })
}

// waves returns the derivatives of the interpolating trigonometric polynomial, where the
// wave of two cells counts as constant, by the sum over all waves.
func (b box) waves(f []float64) (dy, dx []float64) {
	ly, lx := b.Lengths()
	out := [2][]complex128{make([]complex128, len(f)), make([]complex128, len(f))}
	for ky := range b.H {
		for kx := range b.W {
			phase := func(y, x int) float64 {
				return 2 * math.Pi * (float64(ky*y)/float64(b.H) + float64(kx*x)/float64(b.W))
			}
			var amplitude complex128
			for i, v := range f {
				amplitude += cmplx.Rect(v/float64(len(f)), -phase(i/b.W, i%b.W))
			}
			for axis, k := range []float64{wavenumber(ky, b.H, ly), wavenumber(kx, b.W, lx)} {
				for i := range f {
					out[axis][i] += amplitude * complex(0, k) * cmplx.Rect(1, phase(i/b.W, i%b.W))
				}
			}
		}
	}
	return b.each(func(y, x int) float64 { return real(out[0][b.at(y, x)]) }), b.each(func(y, x int) float64 { return real(out[1][b.at(y, x)]) })
}

func wavenumber(k, n int, length float64) float64 {
	switch {
	case 2*k == n:
		return 0
	case 2*k > n:
		k -= n
	}
	return 2 * math.Pi * float64(k) / length
}

// derivatives returns those of a form of div B.
func (b box) derivatives(form field.DivB, f []float64) (dy, dx []float64) {
	switch form {
	case field.Corner:
		return b.corners(f)
	case field.Spectral:
		return b.waves(f)
	default:
		return b.slopes(f)
	}
}

func (b box) pool(f []float64) []float64 {
	small := b.Coarser(b.factor)
	out := make([]float64, small.Cells())
	for i, v := range f {
		out[i/b.W/b.factor*small.W+i%b.W/b.factor] += v / float64(b.factor*b.factor)
	}
	return out
}

// residuals returns what the constraints require to be zero, for fields of which the
// averages should be coarse.
func (b box) residuals(c field.Constraints, fields, coarse [][]float64) (all []float64) {
	if c.Coarse {
		for i, f := range fields {
			for j, v := range b.pool(f) {
				all = append(all, v-coarse[i][j])
			}
		}
	}
	if c.DivB != "" {
		_, xx := b.derivatives(c.DivB, fields[c.Magnetic[0]])
		yy, _ := b.derivatives(c.DivB, fields[c.Magnetic[1]])
		for i := range xx {
			all = append(all, xx[i]+yy[i])
		}
	}
	if c.Jz {
		for i, v := range b.curl(fields[c.Magnetic[0]], fields[c.Magnetic[1]]) {
			all = append(all, fields[c.Magnetic[2]][i]-v)
		}
	}
	return all
}

func (b box) curl(bx, by []float64) []float64 {
	xy, _ := b.slopes(bx)
	_, yx := b.slopes(by)
	return b.each(func(y, x int) float64 { return yx[b.at(y, x)] - xy[b.at(y, x)] })
}

// solenoidal returns fields that satisfy every constraint: B is the curl of a random
// potential, by the same derivatives as div B.
func (b box) solenoidal(seed uint64, form field.DivB) [][]float64 {
	potential := b.noise(seed)
	bx, by := b.derivatives(form, potential)
	for i := range by {
		bx[i], by[i] = bx[i]+0.25, -by[i]-0.5 // a mean field has no divergence
	}
	density := b.noise(seed + 1)
	for i := range density {
		density[i] += 3
	}
	return [][]float64{density, by, bx, b.curl(bx, by)}
}

// order is where solenoidal's fields have Bx, By and jz.
var order = [3]int{2, 1, 3}

func (b box) noise(seed uint64) []float64 {
	return b.each(func(y, x int) float64 { return golden.N(seed, uint64(y*b.W+x)) })
}

// cases are grids and constraints: odd factors, sides and boxes that differ.
func cases(do func(b box, c field.Constraints, std []float64)) {
	for _, b := range []box{
		{field.Grid{H: 8, W: 12, Box: [2]float64{1, 1}}, 2}, {field.Grid{H: 12, W: 6, Box: [2]float64{0.5, 2}}, 3},
		{field.Grid{H: 10, W: 4, Box: [2]float64{10, 4}}, 2}, {field.Grid{H: 9, W: 9, Box: [2]float64{1, 3}}, 3}, {field.Grid{H: 8, W: 8, Box: [2]float64{3, 1}}, 4},
	} {
		for _, form := range []field.DivB{field.Corner, field.Central, field.Spectral, ""} {
			for _, jz := range []bool{true, false} {
				for _, coarse := range []bool{true, false} {
					do(b, field.Constraints{Coarse: coarse, DivB: form, Jz: jz, Magnetic: order}, []float64{0.3, 0.7, 1.5, 12})
				}
			}
		}
	}
}

func flat(fields [][]float64) (all []float32) {
	for _, f := range fields {
		for _, v := range f {
			all = append(all, float32(v))
		}
	}
	return all
}

func split(values []float32, n int) [][]float64 {
	out := make([][]float64, n)
	for i, v := range values {
		c := i * n / len(values)
		out[c] = append(out[c], float64(v))
	}
	return out
}

// project runs a projector on fields, given those whose averages are wanted, and returns
// the fields and the rms of what their averages lack.
func (b box) project(t *testing.T, c field.Constraints, std []float64, fields, truth [][]float64) ([][]float64, float64) {
	t.Helper()
	p, err := field.NewProjector(b.Grid, b.factor, c, &field.Stats{Std: std})
	if err != nil {
		t.Fatal(err)
	}
	var coarse [][]float64
	for _, f := range truth {
		coarse = append(coarse, b.pool(f))
	}
	fine := flat(fields)
	lacks, err := p.Project(fine, flat(coarse), nil)
	if err != nil {
		t.Fatal(err)
	}
	return split(fine, len(fields)), lacks
}

// inner is the inner product in which the projection is orthogonal.
func inner(std []float64, x, y [][]float64) (sum float64) {
	for c := range x {
		for i := range x[c] {
			sum += x[c][i] * y[c][i] / (std[c] * std[c])
		}
	}
	return sum
}

func minus(x, y [][]float64) [][]float64 {
	out := make([][]float64, len(x))
	for c := range x {
		for i := range x[c] {
			out[c] = append(out[c], x[c][i]-y[c][i])
		}
	}
	return out
}

// TestProjectorIdentities checks what defines an orthogonal projection, for every set of
// constraints: they hold to round-off, fields that satisfy them stay, projecting twice is
// projecting once, the move is orthogonal to what the constraints leave free, and the
// error against a truth that satisfies them does not grow.
func TestProjectorIdentities(t *testing.T) {
	cases(func(b box, c field.Constraints, std []float64) {
		name := fmt.Sprintf("%s by %d: %+v", b.Grid, b.factor, c)
		truth, other := b.solenoidal(1, c.DivB), b.solenoidal(3, c.DivB)
		size := math.Sqrt(inner(std, truth, truth))
		near := func(what string, got float64) {
			if t.Helper(); !(got <= 1e-6*size) {
				t.Errorf("%s: %s: %g of %g", name, what, got, size)
			}
		}
		stays, lacks := b.project(t, c, std, truth, truth)
		near("a truth's averages lack", lacks)
		d := minus(stays, truth)
		near("a truth moved by", math.Sqrt(inner(std, d, d)))

		before := [][]float64{b.noise(10), b.noise(11), b.noise(12), b.noise(13)}
		once, lacks := b.project(t, c, std, before, truth)
		near("averages lack", lacks)
		dy, dx := b.Spacing()
		for _, r := range b.residuals(c, once, [][]float64{b.pool(truth[0]), b.pool(truth[1]), b.pool(truth[2]), b.pool(truth[3])}) {
			near("residual", math.Abs(r)*min(dy, dx, 1))
		}
		twice, _ := b.project(t, c, std, once, truth)
		d = minus(twice, once)
		near("projected twice: moved by", math.Sqrt(inner(std, d, d)))

		move := minus(once, before)
		free := minus(other, truth) // div and curl hold of it; make its averages zero
		if c.Coarse {
			free, _ = b.project(t, c, std, minus(other, truth), minus(truth, truth))
		}
		near("the move along what is free", math.Abs(inner(std, move, free))/size)
		was, is := minus(before, truth), minus(once, truth)
		if a, e := inner(std, was, was), inner(std, is, is); e > a*(1+1e-6) {
			t.Errorf("%s: squared error %g became %g", name, a, e)
		}
	})
}

// TestProjectorBruteForce compares with the projection by the pseudo-inverse of one dense
// matrix of all constraints, written out cell by cell.
func TestProjectorBruteForce(t *testing.T) {
	std := []float64{0.3, 0.7, 1.5, 12}
	for _, b := range []box{{field.Grid{H: 4, W: 6, Box: [2]float64{1, 2}}, 2}, {field.Grid{H: 6, W: 3, Box: [2]float64{1, 1}}, 3}} {
		for _, form := range []field.DivB{field.Corner, field.Central, field.Spectral, ""} {
			c := field.Constraints{Coarse: true, DivB: form, Jz: form != field.Spectral, Magnetic: order}
			truth := b.solenoidal(1, form)
			fields := [][]float64{b.noise(20), b.noise(21), b.noise(22), b.noise(23)}
			got, _ := b.project(t, c, std, fields, truth)
			want := b.dense(t, c, std, fields, truth)
			for f := range got {
				for i := range got[f] {
					golden.Near(t, fmt.Sprintf("%s %+v: field %d, cell %d", b.Grid, c, f, i), got[f][i]/std[f], want[f][i]/std[f], 2e-6)
				}
			}
		}
	}
}

// dense returns x - K^+ (K x - K truth), over the deviations std.
func (b box) dense(t *testing.T, c field.Constraints, std []float64, fields, truth [][]float64) [][]float64 {
	t.Helper()
	apply := func(fields [][]float64) []float64 {
		zero := make([]float64, b.Coarser(b.factor).Cells())
		return b.residuals(c, fields, [][]float64{zero, zero, zero, zero})
	}
	n := len(std) * b.Cells()
	var k *mat.Dense
	for j := range n {
		unit := split(make([]float32, n), len(std))
		unit[j/b.Cells()][j%b.Cells()] = std[j/b.Cells()]
		column := apply(unit)
		if k == nil {
			k = mat.NewDense(len(column), n, nil)
		}
		k.SetCol(j, column)
	}
	var svd mat.SVD
	if !svd.Factorize(k, mat.SVDThin) {
		t.Fatal("no singular values")
	}
	var move mat.Dense
	svd.SolveTo(&move, mat.NewDense(k.RawMatrix().Rows, 1, apply(minus(truth, fields))), svd.Rank(1e-10))
	out := make([][]float64, len(std))
	for j := range n {
		f := j / b.Cells()
		out[f] = append(out[f], fields[f][j%b.Cells()]+std[f]*move.At(j, 0))
	}
	return out
}

// TestProjectorContradiction: averages of Bx that differ along x and not along y are no
// averages of a field without divergence. Then the nearest are taken, and what is lacking is
// said: of cos(x) in one of two fields, all of it, sqrt(1/2 / 2) of a deviation.
func TestProjectorContradiction(t *testing.T) {
	b := box{field.Grid{H: 8, W: 16}, 2}
	for _, form := range []field.DivB{field.Corner, field.Central, field.Spectral} {
		c := field.Constraints{Coarse: true, DivB: form, Magnetic: [3]int{0, 1}}
		bx := b.each(func(_, x int) float64 { return 4 * math.Cos(2*math.Pi*float64(x/2)/8) })
		zero := make([]float64, b.Cells())
		got, lacks := b.project(t, c, []float64{4, 1}, [][]float64{zero, zero}, [][]float64{bx, zero})
		golden.Near(t, string(form)+": lacks", lacks, 0.5, 1e-6)
		for i := range zero {
			golden.Near(t, "Bx", got[0][i], 0, 1e-6)
			golden.Near(t, "By", got[1][i], 0, 1e-6)
		}
	}
}

// TestProjectorNormalized: normalized fields are moved as in physical units, and without
// averages as to averages of zero.
func TestProjectorNormalized(t *testing.T) {
	b := box{field.Grid{H: 8, W: 12, Box: [2]float64{1, 1}}, 2}
	c := field.Constraints{Coarse: true, DivB: field.Corner, Jz: true, Magnetic: order}
	stats := field.Stats{Mean: []float64{2, -1, 0.5, 3}, Std: []float64{0.3, 0.7, 1.5, 12}}
	truth := b.solenoidal(1, field.Corner)
	normal := func(fields [][]float64) []float32 {
		out := flat(fields)
		for f := range fields {
			plane := out[f*len(out)/len(fields):][:len(out)/len(fields)]
			stats.Normalize(plane, plane, f)
		}
		return out
	}
	fields := [][]float64{b.noise(20), b.noise(21), b.noise(22), b.noise(23)}
	want, _ := b.project(t, c, stats.Std, fields, truth)
	p, err := field.NewProjector(b.Grid, b.factor, c, &stats)
	if err != nil {
		t.Fatal(err)
	}
	fine := normal(fields)
	if _, err := p.Project(fine, normal([][]float64{b.pool(truth[0]), b.pool(truth[1]), b.pool(truth[2]), b.pool(truth[3])}), &stats); err != nil {
		t.Fatal(err)
	}
	for i, v := range normal(want) {
		golden.Near(t, fmt.Sprintf("normalized value %d", i), float64(fine[i]), float64(v), 3e-6)
	}

	zero := minus(truth, truth)
	want, _ = b.project(t, c, stats.Std, fields, zero)
	got := flat(fields)
	if _, err := p.Project(got, nil, nil); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, flat(want)) {
		t.Error("without averages: not as with averages of zero")
	}
}

// TestConstraintsCheck: what a domain has no constraint for is refused by name.
func TestConstraintsCheck(t *testing.T) {
	open := field.Grid{H: 8, W: 8, Box: [2]float64{1, 1}, Boundary: [2]field.Boundary{field.Periodic, field.Open}}
	for _, c := range []struct {
		field.Constraints
		grid field.Grid
		want string
	}{
		{field.Constraints{Coarse: true}, open, ""},
		{field.Constraints{DivB: field.Corner}, open, "constraint divb is for periodic domains, and run.grid.boundary is [periodic, open]"},
		{field.Constraints{Jz: true}, open, "constraint jz is for periodic domains"},
		{field.Constraints{Jz: true}, field.Grid{H: 8, W: 8}, "set run.grid.box"},
		{field.Constraints{DivB: field.Central}, field.Grid{H: 8, W: 8}, ""},
		{field.Constraints{DivB: "cell"}, field.Grid{H: 8, W: 8}, `divb "cell": want corner, central or spectral`},
	} {
		_, err := field.NewProjector(c.grid, 2, c.Constraints, &field.Stats{Std: []float64{1, 1, 1}})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v on %+v: %v, want %q", c.Constraints, c.grid, err, c.want)
		}
	}
}

func BenchmarkProjector(b *testing.B) {
	grid := box{field.Grid{H: 256, W: 256, Box: [2]float64{1, 1}}, 2}
	std := []float64{1, 1, 1, 1, 1, 1, 1, 1}
	for name, c := range map[string]field.Constraints{
		"coarse": {Coarse: true}, "coarse+divb": {Coarse: true, DivB: field.Corner, Magnetic: [3]int{4, 5, 7}},
		"coarse+divb+jz": {Coarse: true, DivB: field.Corner, Jz: true, Magnetic: [3]int{4, 5, 7}},
	} {
		b.Run(name, func(b *testing.B) {
			var fields [][]float64
			for c := range std {
				fields = append(fields, grid.noise(uint64(c)))
			}
			fine := flat(fields)
			p, err := field.NewProjector(grid.Grid, grid.factor, c, &field.Stats{Std: std})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := p.Project(fine, nil, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
