package stages

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/field/plan"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/rng"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/pipeline"
)

var everySymmetry = []string{shift, reflectX, reflectY, rotate, flipB}

// testAugmenter is an augmenter of those fields, with means and deviations that are not 0
// and 1.
func testAugmenter(t *testing.T, c SymmetryConfig, grid field.Grid, channels ...string) *augmenter {
	t.Helper()
	stats := &field.Stats{}
	for i := range channels {
		stats.Mean, stats.Std = append(stats.Mean, 0.5*float64(i%3)-0.25), append(stats.Std, 0.5+float64(i))
	}
	a, err := newAugmenter(c, testEnv(t), pipeline.Meta{Grid: grid, Channels: channels, Factor: 2, Periodic: true, Stats: stats})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// batchOf is n times the same physical planes, with their x_lo, normalized.
func (a *augmenter) batchOf(t *testing.T, n int, planes ...[]float32) *frames.Frames {
	t.Helper()
	one := frames.NewBuffer(a.mem, len(planes)*len(planes[0]))
	copy(frames.Floats(one), slices.Concat(planes...))
	f := frames.New(a.in.Channels, a.in.Grid, make([]frames.Origin, 1), one, nil)
	defer f.Release()
	p := &plan.Plan{Factor: a.in.Factor, Periodic: a.in.Periodic, Stats: a.in.Stats}
	out, err := p.Join(a.mem, slices.Repeat([]plan.Frame{{Frames: f}}, n))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// physical is the planes of sample n, in physical units.
func (a *augmenter) physical(f *frames.Frames, n int) (planes [][]float32) {
	for c := range a.in.Channels {
		plane := make([]float32, f.Cells())
		a.in.Stats.Physical(plane, f.XHi()[n*f.FrameLen()+c*f.Cells():][:f.Cells()], c)
		planes = append(planes, plane)
	}
	return planes
}

// box is a periodic domain, for the differences of these tests.
type box struct{ field.Grid }

func (b box) each(f func(y, x int) float64) []float64 {
	out := make([]float64, b.Cells())
	for i := range out {
		out[i] = f(i/b.W, i%b.W)
	}
	return out
}

func (b box) at(f []float64, y, x int) float64 { return f[(y+b.H)%b.H*b.W+(x+b.W)%b.W] }

// dx and dy are central differences.
func (b box) dx(f []float64) []float64 {
	return b.each(func(y, x int) float64 { return (b.at(f, y, x+1) - b.at(f, y, x-1)) / 2 })
}

func (b box) dy(f []float64) []float64 {
	return b.each(func(y, x int) float64 { return (b.at(f, y+1, x) - b.at(f, y-1, x)) / 2 })
}

// of is a function of the values in each cell.
func of(f func(v ...float64) float64, fields ...[]float64) []float64 {
	out := make([]float64, len(fields[0]))
	v := make([]float64, len(fields))
	for i := range out {
		for k := range fields {
			v[k] = fields[k][i]
		}
		out[i] = f(v...)
	}
	return out
}

// rates returns the rates of change of density, velx, vely, velz, Bx, By, Bz in an
// axisymmetric shearing box (Hawley & Balbus 1992, doi:10.1086/172021) with x radial, y
// vertical, z azimuthal and velz relative to the shear -q Omega x:
//
//	d rho/dt = -div(rho v)
//	d v/dt   = -v.grad v + (-grad(p + B^2/2) + B.grad B) / rho + nu lap v + (2 Omega vz, 0, (q-2) Omega vx)
//	d B/dt   = curl(v x B) + (0, 0, -q Omega Bx)
//
// isothermal, and then jz = dBy/dx - dBx/dy, all by central differences.
func (b box) rates(u [][]float64) (out [][]float64) {
	const q, omega, cs2, nu = 1.5, 1, 0.7, 0.2
	rho, vx, vy, vz, bx, by, bz := u[0], u[1], u[2], u[3], u[4], u[5], u[6]
	times := func(f, g []float64) []float64 { return of(func(v ...float64) float64 { return v[0] * v[1] }, f, g) }
	cross := func(f, g, h, k []float64) []float64 {
		return of(func(v ...float64) float64 { return v[0]*v[1] - v[2]*v[3] }, f, g, h, k)
	}
	out = append(out, of(func(v ...float64) float64 { return -v[0] - v[1] }, b.dx(times(rho, vx)), b.dy(times(rho, vy))))
	pressure := of(func(v ...float64) float64 { return cs2*v[0] + (v[1]*v[1]+v[2]*v[2]+v[3]*v[3])/2 }, rho, bx, by, bz)
	none := make([]float64, b.Cells())
	for i, push := range [][]float64{b.dx(pressure), b.dy(pressure), none} {
		vi, bi := u[1+i], u[4+i]
		out = append(out, of(func(v ...float64) float64 {
			turn := []float64{2 * omega * v[9], 0, (q - 2) * omega * v[0]}[i]
			return -v[0]*v[1] - v[2]*v[3] + (-v[4]+v[5]*v[6]+v[7]*v[8])/v[10] + nu*v[11] + turn
		}, vx, b.dx(vi), vy, b.dy(vi), push, bx, b.dx(bi), by, b.dy(bi), vz, rho,
			b.each(func(y, x int) float64 {
				return b.at(vi, y, x+1) + b.at(vi, y, x-1) + b.at(vi, y+1, x) + b.at(vi, y-1, x) - 4*b.at(vi, y, x)
			})))
	}
	minus := func(f []float64) []float64 { return of(func(v ...float64) float64 { return -v[0] }, f) }
	electric := cross(vx, by, vy, bx)
	out = append(out, b.dy(electric), minus(b.dx(electric)))
	out = append(out, of(func(v ...float64) float64 { return v[0] - v[1] - q*omega*v[2] }, b.dx(cross(vz, bx, vx, bz)), b.dy(cross(vy, bz, vz, by)), bx))
	return append(out, of(func(v ...float64) float64 { return v[0] - v[1] }, b.dx(by), b.dy(bx)))
}

// TestShearingBox: under each declared symmetry, the rates of the moved fields are the moved
// rates, and jz of them is the moved jz. No other signs have that property: each sign is
// changed in turn.
func TestShearingBox(t *testing.T) {
	b := box{field.Grid{H: 6, W: 8}}
	var u [][]float64
	for c := range 7 {
		u = append(u, doubles(floats(uint64(c), b.Cells())))
	}
	for i, v := range u[0] {
		u[0][i] = 1 + 0.1*v // density is positive
	}
	rates := b.rates(u)
	names := allFields()
	moved := func(a *augmenter, d drawn, fields [][]float64) (out [][]float64) {
		for c, f := range fields {
			plane := make([]float32, len(f))
			values := make([]float32, len(f))
			for i, v := range f {
				values[i] = float32(v)
			}
			d.Plane(plane, values, b.Grid, a.sign(d, c), 0)
			out = append(out, doubles(plane))
		}
		return out
	}
	// off is how far the equations are from having the symmetries with those signs. The field jz follows from the others.
	off := func(odd map[string][]string, d drawn) (worst float64) {
		a := testAugmenter(t, SymmetryConfig{Symmetries: everySymmetry, Odd: odd}, b.Grid, names...)
		want := moved(a, d, rates)
		for c, got := range b.rates(moved(a, d, u)) {
			for i, v := range got {
				worst = max(worst, math.Abs(v-want[c][i]))
			}
		}
		return worst
	}
	for part, d := range map[string]drawn{reflectX: {Move: field.Move{FlipX: true}}, reflectY: {Move: field.Move{FlipY: true}}, flipB: {flipB: true}} {
		d.ShiftX, d.ShiftY = 3, 1
		golden.Near(t, part, off(nil, d), 0, 1e-5)
		for name, odd := range shearingBox {
			other := maps.Clone(shearingBox)
			if other[name] = append(slices.Clone(odd), part); slices.Contains(odd, part) {
				other[name] = slices.DeleteFunc(slices.Clone(odd), func(p string) bool { return p == part })
			}
			if far := off(other, d); far < 0.1 {
				t.Errorf("%s with the other sign of %s: the equations are %g off, and the test sees nothing", part, name, far)
			}
		}
	}
	golden.Near(t, "all at once", off(nil, drawn{field.Move{FlipX: true, FlipY: true, ShiftX: 1}, true}), 0, 1e-5)
}

func floats(stream uint64, n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(golden.N(stream, uint64(i)))
	}
	return values
}

// TestMovedSamples: x_hi of each sample is moved in physical units, also where means are not
// 0, and x_lo is what pool_upsample and normalize make of it, also of a field's logarithm.
func TestMovedSamples(t *testing.T) {
	grid, names := field.Grid{H: 8, W: 12}, []string{"density", "velx", "By", "jz"}
	for _, c := range []struct {
		symmetries []string
		periodic   bool
		kinds      int // of combinations, but for shifts
	}{{everySymmetry, true, 8}, {everySymmetry, false, 8}, {[]string{reflectX, reflectY, flipB}, false, 8}, {[]string{rotate}, true, 2}} {
		a := testAugmenter(t, SymmetryConfig{Symmetries: c.symmetries}, grid, names...)
		a.in.Periodic, a.in.Stats.Log = c.periodic, []bool{true, false, false, false}
		planes := [][]float32{floats(0, 96), floats(1, 96), floats(2, 96), floats(3, 96)}
		for i, v := range planes[0] {
			planes[0][i] = float32(math.Exp(float64(v)))
		}
		const n, step, first = 40, 7, 3
		batch := a.batchOf(t, n, planes...)
		out, err := a.move(batch, step, 1, first)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[drawn]bool{}
		for k := range n {
			d := a.draw(rng.Stream(1, rng.Symmetry, step, 1), first+k)
			seen[drawn{field.Move{FlipY: d.FlipY, FlipX: d.FlipX}, d.flipB}] = true
			want := make([][]float32, len(names))
			for c, plane := range planes {
				want[c] = make([]float32, len(plane))
				d.Plane(want[c], plane, grid, a.sign(d, c), 0)
				for i, v := range a.physical(out, k)[c] {
					golden.Near(t, names[c], float64(v), float64(want[c][i]), 1e-5)
				}
			}
			alone := a.batchOf(t, 1, want...)
			for i, v := range alone.XLo() {
				golden.Near(t, "x_lo", float64(out.XLo()[k*out.FrameLen()+i]), float64(v), 1e-5)
			}
			alone.Release()
		}
		if len(seen) != c.kinds {
			t.Errorf("%v: %d combinations in %d samples, want %d", c.symmetries, len(seen), n, c.kinds)
		}
		out.Release()
		batch.Release()
	}
}

// TestDraws: each combination comes as often as the others, and rotate is both reflections.
func TestDraws(t *testing.T) {
	const n = 1 << 14
	grid := field.Grid{H: 4, W: 8}
	for _, c := range []struct {
		symmetries []string
		each       float64 // share of each combination that comes
	}{{everySymmetry, 1. / 8}, {[]string{rotate, reflectX}, 1. / 4}, {[]string{rotate}, 1. / 2}, {[]string{flipB}, 1. / 2}, {[]string{shift}, 1}} {
		a, kinds, places := testAugmenter(t, SymmetryConfig{Symmetries: c.symmetries}, grid, "density"), map[drawn]int{}, map[[2]int]int{}
		for k := range n {
			d := a.draw(5, k)
			places[[2]int{d.ShiftY, d.ShiftX}]++
			d.ShiftY, d.ShiftX = 0, 0
			kinds[d]++
			if slices.Equal(c.symmetries, []string{rotate}) && d.FlipX != d.FlipY {
				t.Fatalf("rotate gave %+v", d)
			}
		}
		for d, count := range kinds {
			golden.Near(t, sprintf("%v: share of %+v", c.symmetries, d), float64(count)/n, c.each, 0.02)
		}
		if want := grid.Cells(); slices.Contains(c.symmetries, shift) && len(places) != want || !slices.Contains(c.symmetries, shift) && len(places) != 1 {
			t.Errorf("%v: %d shifts", c.symmetries, len(places))
		}
	}
}

// TestMovedByRanks: two ranks' halves of a batch are the rows of one rank's, and other
// steps, batches and seeds draw otherwise.
func TestMovedByRanks(t *testing.T) {
	grid := field.Grid{H: 4, W: 8}
	a := testAugmenter(t, SymmetryConfig{Symmetries: everySymmetry}, grid, "Bx", "By")
	moved := func(n, step, i, first int) []float32 {
		batch := a.batchOf(t, n, floats(1, 32), floats(2, 32))
		defer batch.Release()
		out, err := a.move(batch, step, i, first)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Release()
		return slices.Concat(out.XHi(), out.XLo())
	}
	half := func(x []float32, of, n int) []float32 { return x[of*len(x)/n:][:len(x)/n] }
	whole := moved(4, 3, 0, 0)
	for rank := range 2 {
		part := moved(2, 3, 0, 2*rank)
		for k := range 2 { // x_hi, then x_lo
			if !slices.Equal(half(part, k, 2), half(half(whole, k, 2), rank, 2)) {
				t.Errorf("rank %d of 2 has other samples than one rank's rows", rank)
			}
		}
	}
	if !slices.Equal(whole, moved(4, 3, 0, 0)) {
		t.Error("the same samples were moved otherwise")
	}
	other := [][]float32{moved(4, 4, 0, 0), moved(4, 3, 1, 0)}
	a.seed = 2
	for _, x := range append(other, moved(4, 3, 0, 0)) {
		if slices.Equal(whole, x) {
			t.Error("another step, batch or seed moves the samples the same way")
		}
	}
}

// TestMovedTurbulence: real frames stay what they are. The corner divergence of B stays 0
// and, where there are all eight fields, jz stays the curl of B, and the stress stays
// positive: it transports angular momentum outwards. FMSR_DATA names the folder of frames of
// eight fields.
func TestMovedTurbulence(t *testing.T) {
	t.Run("four fields", func(t *testing.T) {
		movedTurbulence(t, "../testdata/mri128_nu3e-5/seed_0002/npy/fields_128x128.npy", 4, "density", "velx", "Bx", "By")
	})
	t.Run("eight fields", func(t *testing.T) {
		root := os.Getenv("FMSR_DATA")
		if root == "" {
			t.Skip("FMSR_DATA is not set: it names the folder that holds mri128_nu3e-5 with eight fields")
		}
		movedTurbulence(t, filepath.Join(root, "mri128_nu3e-5/seed_0002/npy/all_fields_128x128.npy"), 4, allFields()...)
	})
}

func movedTurbulence(t *testing.T, path string, frame int, names ...string) {
	shape, values, err := npy.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b := box{field.Grid{H: shape[1], W: shape[2]}}
	planes := make([][]float32, len(names))
	for c := range planes {
		planes[c] = make([]float32, b.Cells())
		field.Gather(planes[c], values[frame*b.Cells()*len(names):], c, len(names))
	}
	a := testAugmenter(t, SymmetryConfig{Symmetries: everySymmetry}, b.Grid, names...)
	batch := a.batchOf(t, 8, planes...)
	defer batch.Release()
	out, err := a.move(batch, 1, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Release()
	stress := func(planes [][]float32) (sum float64) {
		for i, rho := range planes[0] {
			sum += float64(rho*planes[1][i]*planes[3][i]-planes[4][i]*planes[6][i]) / float64(b.Cells())
		}
		return sum
	}
	for n := range out.N() {
		moved := a.physical(out, n)
		bx, by := doubles(moved[slices.Index(names, "Bx")]), doubles(moved[slices.Index(names, "By")])
		curl := of(func(v ...float64) float64 { return float64(b.W)*v[0] - float64(b.H)*v[1] }, b.dx(by), b.dy(bx))
		corner := b.each(func(y, x int) float64 {
			return float64(b.W)/2*(b.at(bx, y, x+1)+b.at(bx, y+1, x+1)-b.at(bx, y, x)-b.at(bx, y+1, x)) +
				float64(b.H)/2*(b.at(by, y+1, x)+b.at(by, y+1, x+1)-b.at(by, y, x)-b.at(by, y, x+1))
		})
		golden.Near(t, "corner divergence over the curl", rms(corner)/rms(curl), 0, 1e-4)
		if len(names) < 8 {
			continue
		}
		apart := of(func(v ...float64) float64 { return v[0] - v[1] }, curl, doubles(moved[7]))
		golden.Near(t, "jz - curl B over the curl", rms(apart)/rms(curl), 0, 1e-4)
		golden.Near(t, "stress", stress(moved), stress(planes), 1e-6)
	}
	if len(names) == 8 && stress(planes) < 1e-4 {
		t.Errorf("stress %g: want outward transport", stress(planes))
	}
}

func rms(f []float64) float64 {
	sum := 0.0
	for _, v := range f {
		sum += v * v / float64(len(f))
	}
	return math.Sqrt(sum)
}

// TestSymmetriesRefused: fields that are unknown, missing or of the wrong kind, and pairs
// whose x_lo is not an average.
func TestSymmetriesRefused(t *testing.T) {
	meta := pipeline.Meta{Grid: field.Grid{H: 4, W: 8}, Channels: []string{"rho", "By"}, Factor: 2, Stats: &field.Stats{Mean: []float64{0, 0}, Std: []float64{1, 1}}}
	logs, pair := meta, meta
	logs.Stats = &field.Stats{Mean: []float64{0, 0}, Std: []float64{1, 1}, Log: []bool{false, true}}
	pair.Coarse = true
	known := map[string][]string{"rho": {}}
	for _, c := range []struct {
		config SymmetryConfig
		meta   pipeline.Meta
		want   string
	}{
		{SymmetryConfig{Symmetries: []string{shift}}, meta, ""},
		{SymmetryConfig{Symmetries: []string{shift, flipB}}, meta, "whether they change the sign of the field rho is not known: add train.odd, as {rho: []} if they do not, or {rho: [reflect_x]}"},
		{SymmetryConfig{Symmetries: []string{flipB}, Odd: known}, meta, ""},
		{SymmetryConfig{Symmetries: []string{flipB}, Odd: map[string][]string{"ro": {}}}, meta, "odd names the field ro, which is missing: the fields are rho, By"},
		{SymmetryConfig{Symmetries: []string{flipB}, Odd: known}, logs, "change the sign of the field By, whose logarithm is normalized"},
		{SymmetryConfig{Symmetries: []string{rotate}, Odd: known}, logs, ""},
		{SymmetryConfig{Symmetries: []string{shift}}, pair, "x_lo of pair_load is a coarse run's own"},
		{SymmetryConfig{Symmetries: []string{rotate}, Odd: known}, pair, ""},
	} {
		_, err := newAugmenter(c.config, testEnv(t), c.meta)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.config, err, c.want)
		}
	}
	a := testAugmenter(t, SymmetryConfig{Symmetries: []string{shift}}, meta.Grid, "Bx")
	batch := a.batchOf(t, 1, floats(1, 32))
	defer batch.Release()
	batch.XLo()[3]++
	if _, err := a.move(batch, 1, 0, 0); err == nil || !strings.Contains(err.Error(), "its x_lo is not the average of x_hi: field Bx is 0.18 deviations apart") {
		t.Errorf("another x_lo: %v", err)
	}
	far := testAugmenter(t, SymmetryConfig{Symmetries: []string{flipB}}, meta.Grid, "By", "density")
	far.in.Stats = &field.Stats{Mean: []float64{-30, 40}, Std: []float64{2, 1}}
	if got := far.warnings(); len(got) != 1 || !strings.Contains(got[0], "the sign of By, whose mean is 15 deviations") {
		t.Errorf("warnings %q", got)
	}
}

// BenchmarkMove moves a batch of four frames of eight fields at 256 x 256.
func BenchmarkMove(b *testing.B) {
	grid := field.Grid{H: 256, W: 256}
	for name, symmetries := range map[string][]string{"reflections": {reflectX, reflectY, flipB}, "shifts": everySymmetry} {
		b.Run(name, func(b *testing.B) {
			pool := frames.NewPool()
			defer pool.Close()
			stats := &field.Stats{Mean: make([]float64, 8), Std: slices.Repeat([]float64{1}, 8)}
			a := &augmenter{of: symmetries, odd: make([][]string, 8), mem: pool, looked: true,
				in: pipeline.Meta{Grid: grid, Channels: allFields(), Factor: 2, Periodic: true, Stats: stats}}
			hi, lo := frames.NewBuffer(pool, 4*8*grid.Cells()), frames.NewBuffer(pool, 4*8*grid.Cells())
			batch := frames.New(a.in.Channels, grid, make([]frames.Origin, 4), hi, lo)
			defer batch.Release()
			for i := range b.N {
				out, err := a.move(batch, i, 0, 0)
				if err != nil {
					b.Fatal(err)
				}
				out.Release()
			}
		})
	}
}
