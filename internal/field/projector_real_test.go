package field_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
)

// realFrame returns some channels of a frame of a file of real frames (F,N,N,C).
func realFrame(t *testing.T, path string, n, channels, frame int, pick ...int) [][]float64 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = data[len(data)%(4*n*n*channels):] // the header
	data = data[frame*4*n*n*channels:]
	out := make([][]float64, len(pick))
	for i := range n * n {
		for c, channel := range pick {
			out[c] = append(out[c], float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*(i*channels+channel):]))))
		}
	}
	return out
}

func deviations(fields [][]float64) (std []float64) {
	for _, f := range fields {
		mean, square := 0.0, 0.0
		for _, v := range f {
			mean += v / float64(len(f))
			square += v * v / float64(len(f))
		}
		std = append(std, math.Sqrt(square-mean*mean))
	}
	return std
}

// bilinear returns the fields interpolated from their averages.
func (b box) bilinear(truth [][]float64) [][]float64 {
	up := field.NewUpsampler(b.Coarser(b.factor), b.factor, true)
	out := flat(truth)
	for c, f := range truth {
		up.Plane(out[c*b.Cells():][:b.Cells()], flat([][]float64{b.pool(f)}))
	}
	return split(out, len(truth))
}

// squares returns the squared error of some fields, those of B.
func squares(x, y [][]float64, fields ...int) (sum float64) {
	for _, c := range fields {
		for i := range x[c] {
			sum += math.Pow(x[c][i]-y[c][i], 2)
		}
	}
	return sum
}

// TestProjectorTurbulence: on real turbulence the truth satisfies the corner form to
// single precision and stays, and projecting the bilinear input takes its error in
// (Bx, By) to a quarter.
func TestProjectorTurbulence(t *testing.T) {
	b := box{field.Grid{H: 128, W: 128, Box: [2]float64{1, 1}}, 2}
	truth := realFrame(t, "../../testdata/mri128_nu3e-5/seed_0002/npy/fields_128x128.npy", 128, 4, 2, 2, 3)
	c := field.Constraints{Coarse: true, DivB: field.Corner, Magnetic: [3]int{0, 1}}
	std := deviations(truth)
	stays, lacks := b.project(t, c, std, truth, truth)
	golden.Near(t, "moved by", math.Sqrt(squares(stays, truth, 0, 1)/squares(truth, minus(truth, truth), 0, 1)), 0, 5e-5)
	golden.Near(t, "lacks", lacks, 0, 2e-6)
	lo := b.bilinear(truth)
	after, _ := b.project(t, c, std, lo, truth)
	golden.Near(t, "squared error over bilinear's", squares(after, truth, 0, 1)/squares(lo, truth, 0, 1), 0.25, 0.03)
}

// TestProjectorSpectral: turbulence of a spectral code satisfies div B = 0 in its own form, to
// single precision, and stays; in the corner form it does not. Projected in its own form, the
// bilinear input comes nearer to it than in the others.
func TestProjectorSpectral(t *testing.T) {
	b := box{field.Grid{H: 64, W: 64, Box: [2]float64{1, 1}}, 2}
	truth := realFrame(t, "../../testdata/mhd2d64/seed_0001/npy/all_fields_64x64.npy", 64, 8, 3, 4, 5)
	std, lo := deviations(truth), b.bilinear(truth)
	left := map[field.DivB]float64{}
	for _, form := range []field.DivB{field.Spectral, field.Corner, field.Central} {
		c := field.Constraints{Coarse: true, DivB: form, Magnetic: [3]int{0, 1}}
		stays, _ := b.project(t, c, std, truth, truth)
		moved := math.Sqrt(squares(stays, truth, 0, 1) / squares(truth, minus(truth, truth), 0, 1))
		if (form == field.Spectral) != (moved < 2e-5) {
			t.Errorf("%s: the truth moves by %g of itself", form, moved)
		}
		after, _ := b.project(t, c, std, lo, truth)
		left[form] = squares(after, truth, 0, 1) / squares(lo, truth, 0, 1)
	}
	if s := left[field.Spectral]; s > 0.4 || s > left[field.Corner] || s > left[field.Central] {
		t.Errorf("squared error over bilinear's: %v", left)
	}
}

// TestProjectorFinerTurbulence is about the larger set of real frames, with jz. FMSR_DATA
// names the folder that holds it.
func TestProjectorFinerTurbulence(t *testing.T) {
	root := os.Getenv("FMSR_DATA")
	if root == "" {
		t.Skip("FMSR_DATA is not set: it names the folder that holds mri256_nu3e-5")
	}
	b := box{field.Grid{H: 256, W: 256, Box: [2]float64{1, 1}}, 2}
	path := filepath.Join(root, "mri256_nu3e-5/seed_0002/npy/all_fields_256x256.npy")
	var start, none, corner, all float64
	for frame := range 4 {
		truth := realFrame(t, path, 256, 8, frame, 4, 5, 7)
		lo, std := b.bilinear(truth), deviations(truth)
		c := field.Constraints{Coarse: true, Magnetic: [3]int{0, 1, 2}}
		error := func() float64 {
			after, _ := b.project(t, c, std, lo, truth)
			return squares(after, truth, 0, 1)
		}
		start += squares(lo, truth, 0, 1)
		none += error()
		c.DivB = field.Corner
		corner += error()
		c.Jz = true
		all += error()
	}
	t.Logf("squared error of (Bx, By) over bilinear's: coarse %.4f, with div B %.4f, with jz %.4f", none/start, corner/start, all/start)
	if corner > 0.31*start || all > 0.02*start {
		t.Error("want at most 0.31 with div B, what 30 alternations between the two give, and 0.02 with jz")
	}
}
