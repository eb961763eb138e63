package synth

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/dsp/fourier"
	"gonum.org/v1/gonum/stat"

	"fmsr.example/fmsr/internal/field"
)

var grids = [][2]int{{64, 64}, {32, 48}, {45, 30}, {4, 4}}

func frame(m *Maker, stream uint64, i int) []float32 {
	dst := make([]float32, m.H*m.W*Channels)
	m.Seed(stream).Frame(dst, i)
	return dst
}

// at returns channel c of a frame as a periodic function of the cell.
func at(m *Maker, f []float32, c int) func(y, x int) float64 {
	return func(y, x int) float64 {
		return float64(f[((y+m.H)%m.H*m.W+(x+m.W)%m.W)*Channels+c])
	}
}

// rmsOf returns the root mean square and the largest magnitude of a function of the cells.
func rmsOf(m *Maker, f func(y, x int) float64) (rms, largest float64) {
	for y := range m.H {
		for x := range m.W {
			v := f(y, x)
			rms += v * v
			largest = max(largest, math.Abs(v))
		}
	}
	return math.Sqrt(rms / float64(m.H*m.W)), largest
}

func TestMagneticField(t *testing.T) {
	for _, grid := range grids {
		m := New(grid[0], grid[1], 5./3)
		for i := range 3 {
			f := frame(m, 7, i)
			bx, by, jz := at(m, f, bx), at(m, f, by), at(m, f, jz)
			dx := 1 / float64(max(m.H, m.W))
			curl := func(y, x int) float64 {
				return (by(y, x+1) - by(y, x-1) - bx(y+1, x) + bx(y-1, x)) / (2 * dx)
			}
			size, largest := rmsOf(m, curl)
			_, corner := rmsOf(m, func(y, x int) float64 {
				return (bx(y, x+1) + bx(y+1, x+1) - bx(y, x) - bx(y+1, x) + by(y+1, x) + by(y+1, x+1) - by(y, x) - by(y, x+1)) / (2 * dx)
			})
			if corner > 5e-6*size {
				t.Errorf("%v: corner divergence up to %g of the rms curl", grid, corner/size)
			}
			central, _ := rmsOf(m, func(y, x int) float64 {
				return (bx(y, x+1) - bx(y, x-1) + by(y+1, x) - by(y-1, x)) / (2 * dx)
			})
			if grid[0] > 4 && central < 1e-2*size {
				t.Errorf("%v: central divergence %g of the rms curl: the field is too smooth to tell the two apart", grid, central/size)
			}
			_, off := rmsOf(m, func(y, x int) float64 { return jz(y, x) - curl(y, x) })
			if off > 1e-6*largest {
				t.Errorf("%v: jz is off by %g of its maximum", grid, off/largest)
			}
		}
	}
}

func TestSpreads(t *testing.T) {
	m := New(64, 64, 5./3)
	sum := make([]float64, Channels)
	sum2 := make([]float64, Channels)
	const frames = 64
	for i := range frames {
		f := frame(m, uint64(i), i)
		for c := range Channels {
			for cell := range 64 * 64 {
				v := float64(f[cell*Channels+c])
				sum[c] += v / (64 * 64 * frames)
				sum2[c] += v * v / (64 * 64 * frames)
			}
		}
		for cell := range 64 * 64 {
			if f[cell*Channels] < 0.5 {
				t.Fatalf("density %g", f[cell*Channels])
			}
		}
	}
	for c, want := range []float64{.028, .081, .055, .096, .067, .067, .115} {
		mean := 0.
		if c == density {
			mean = 1
		}
		if math.Abs(sum[c]-mean) > 1e-6 {
			t.Errorf("channel %d: mean %g, want %g", c, sum[c], mean)
		}
		if std := math.Sqrt(sum2[c] - sum[c]*sum[c]); math.Abs(std-want) > 0.05*want {
			t.Errorf("channel %d: spread %g, want %g", c, std, want)
		}
	}
}

// TestSlope fits a line to log P over log k for many frames.
func TestSlope(t *testing.T) {
	const h, w = 96, 128
	for _, want := range []float64{1, 5. / 3, 3} {
		m := New(h, w, want)
		total := map[int][]float64{}
		for i := range 8 {
			f := frame(m, uint64(i), i)
			for _, c := range []int{density, vely, bx, by, bz} {
				for k, p := range power(m, at(m, f, c)) {
					for len(total[c]) <= k {
						total[c] = append(total[c], 0)
					}
					total[c][k] += p
				}
			}
		}
		total[bx] = sum(total[bx], total[by]) // neither is isotropic by itself
		delete(total, by)
		for c, p := range total {
			var logK, logP []float64
			for k := 4; k < 24; k++ { // at larger k, A's differences are smaller than its derivatives
				logK, logP = append(logK, math.Log(float64(k))), append(logP, math.Log(p[k]))
			}
			if _, slope := stat.LinearRegression(logK, logP, nil, false); math.Abs(slope+want) > 0.15 {
				t.Errorf("channel %d: the spectrum falls as k^%.2f, want k^%.2f", c, slope, -want)
			}
		}
	}
}

func sum(a, b []float64) []float64 {
	for i := range a {
		a[i] += b[i]
	}
	return a
}

// power returns the shell spectrum of a field.
func power(m *Maker, f func(y, x int) float64) []float64 {
	z := make([]complex128, m.H*m.W)
	for i := range z {
		z[i] = complex(f(i/m.W, i%m.W), 0)
	}
	rows, columns := fourier.NewCmplxFFT(m.W), fourier.NewCmplxFFT(m.H)
	for y := range m.H {
		rows.Coefficients(z[y*m.W:(y+1)*m.W], z[y*m.W:(y+1)*m.W])
	}
	half := m.W/2 + 1
	out := make([]float32, m.H*half)
	for x := range half {
		column := make([]complex128, m.H)
		for y := range m.H {
			column[y] = z[y*m.W+x]
		}
		for y, v := range columns.Coefficients(nil, column) {
			out[y*half+x] = float32((real(v)*real(v) + imag(v)*imag(v)) / float64(m.H*m.W*m.H*m.W))
		}
	}
	return field.NewShells(field.Grid{H: m.H, W: m.W}).Sum(out)
}

// TestFrames checks that a frame depends on the stream and its number alone, and
// that no two frames are equal.
func TestFrames(t *testing.T) {
	m := New(16, 24, 2)
	s := m.Seed(3)
	seen := map[string]int{}
	for _, i := range []int{5, 0, 199, 5} {
		dst := make([]float32, 16*24*Channels)
		s.Frame(dst, i)
		if !slices.Equal(dst, frame(New(16, 24, 2), 3, i)) {
			t.Errorf("frame %d differs when it is made again", i)
		}
		seen[fmt.Sprint(dst)]++
	}
	if len(seen) != 3 {
		t.Errorf("%d different frames of 3", len(seen))
	}
	if slices.Equal(frame(m, 3, 0), frame(m, 4, 0)) {
		t.Error("two seeds are alike")
	}
}

// TestValues checks values that are the same on every machine.
func TestValues(t *testing.T) {
	f := frame(New(8, 8, 2), 1, 2)
	got := f[9*Channels : 10*Channels]
	want := []float32{0.98958087, -0.013724364, 0.07893861, 0.089496076, 0.11172199, 0.037543043, 0.013689287, -0.63075256}
	for c := range want {
		if math.Abs(float64(got[c]-want[c])) > 1e-6*math.Abs(float64(want[c])) {
			t.Errorf("channel %d: %v, want %v", c, got[c], want[c])
		}
	}
}

func BenchmarkSeed(b *testing.B) {
	m := New(256, 256, 5./3)
	for i := range b.N {
		m.Seed(uint64(i))
	}
}

func BenchmarkFrame(b *testing.B) {
	m := New(256, 256, 5./3)
	s := m.Seed(1)
	dst := make([]float32, 256*256*Channels)
	b.SetBytes(int64(4 * len(dst)))
	for i := range b.N {
		s.Frame(dst, i)
	}
}
