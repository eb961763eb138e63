package hdf5

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

// needLibrary skips a test where libhdf5 is not there. Where FMSR_HDF5 names one, as make
// test does, it must be.
func needLibrary(t testing.TB) {
	if _, err := load(); err != nil {
		if os.Getenv("FMSR_HDF5") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// checkDigits checks that the value at an index of the array is offset plus its digits,
// scaled. Reads of any length give the same values.
func checkDigits(t *testing.T, a *Array, value func(index []int) float64) {
	t.Helper()
	n := 1
	for _, d := range a.Shape {
		n *= d
	}
	whole := make([]float32, n)
	if err := a.Read(whole, 0); err != nil {
		t.Fatal(err)
	}
	for i, got := range whole {
		index, rest := make([]int, len(a.Shape)), i
		for axis := len(a.Shape) - 1; axis >= 0; axis-- {
			index[axis], rest = rest%a.Shape[axis], rest/a.Shape[axis]
		}
		if want := float32(value(index)); got != want {
			t.Fatalf("%s: value at %v is %g, want %g", a.Path, index, got, want)
		}
	}
	for length := 1; length <= n; length = 2*length + 1 {
		for at := 0; at+length <= n; at += 1 + length/2 {
			part := make([]float32, length)
			if err := a.Read(part, at); err != nil || !slices.Equal(part, whole[at:at+length]) {
				t.Fatalf("%s: %d values from %d on: %v, want %v (%v)", a.Path, length, at, part, whole[at:at+length], err)
			}
		}
	}
}

// older reports whether the library is older than the format of HDF5 2.0, in which h5py
// writes chunks for libver "latest".
func older(t *testing.T, err error) bool {
	is := err != nil && strings.Contains(err.Error(), "bad version number for layout message")
	if is {
		t.Log(err)
	}
	return is
}

func TestWell(t *testing.T) {
	needLibrary(t)
	for _, c := range []struct {
		file, axes string
		double     bool
	}{{"plain.hdf5", "FWH", false}, {"packed.hdf5", "FWH", true}, {"latest.hdf5", "FWH", false}, {"rows.hdf5", "FHW", false}} {
		path := "testdata/" + c.file
		names, n, err := About(path)
		if older(t, err) {
			continue
		}
		want := "[density velocity_x velocity_y stress_xx stress_xy stress_yx stress_yy]"
		if c.axes == "FHW" {
			want = "[density velocity_y velocity_x stress_yy stress_yx stress_xy stress_xx]"
		}
		if fmt.Sprint(names) != want || n != 2 || err != nil {
			t.Fatalf("%s: %v, %d trajectories, %v: want %s and 2", path, names, n, err, want)
		}
		for field, name := range names {
			for trajectory := range 2 {
				a, err := Open(path, name, trajectory)
				if err != nil {
					t.Fatal(err)
				}
				if fmt.Sprint(a.Shape) != "[3 4 6]" || a.Axes != c.axes || a.Double() != c.double {
					t.Errorf("%s: shape %v, axes %s, double %v", a.Path, a.Shape, a.Axes, a.Double())
				}
				if n := len(a.Moments); n != 3 || a.Moments[2] != (frames.Moment{Known: true, Time: 1}) {
					t.Errorf("%s: moments %v", a.Path, a.Moments)
				}
				checkDigits(t, a, func(i []int) float64 {
					v := float64(1000*trajectory + 100*i[0] + 10*i[1] + i[2])
					switch {
					case field >= 3:
						return 100*v + float64((field-3)/2*10+(field-3)%2)
					case field >= 1:
						return 10*v + float64(field-1)
					}
					return v
				})
				if err := a.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func TestAthdf(t *testing.T) {
	needLibrary(t)
	for _, file := range []string{"plain.athdf", "latest.athdf"} {
		for v, name := range []string{"rho", "press", "Bcc1"} {
			a, err := Open("testdata/"+file, name, 0)
			if older(t, err) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(a.Shape) != "[4 6]" || a.Axes != "HW" || a.Double() != (file == "latest.athdf") {
				t.Errorf("%s: shape %v, axes %s, double %v", a.Path, a.Shape, a.Axes, a.Double())
			}
			if len(a.Moments) != 1 || a.Moments[0] != (frames.Moment{Known: true, Time: 1.5, Cycle: 7}) {
				t.Errorf("%s: moments %v", a.Path, a.Moments)
			}
			checkDigits(t, a, func(i []int) float64 { return float64(1000*v + 10*i[0] + i[1]) })
			a.Close()
		}
	}
}

func TestPlain(t *testing.T) {
	needLibrary(t)
	a, err := Open("testdata/frames.h5", "run/fields", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if fmt.Sprint(a.Shape) != "[2 4 6 2]" {
		t.Errorf("shape %v", a.Shape)
	}
	checkDigits(t, a, func(i []int) float64 { return float64(1000*i[0] + 100*i[1] + 10*i[2] + i[3]) })
}

// TestLow: what float32 loses of 0.1 is 0.1 - float32(0.1), and of a digit nothing.
func TestLow(t *testing.T) {
	a := &Array{low: true}
	got := make([]float32, 3)
	a.narrow(got, []float64{0.1, 2, 1e-60})
	x := 0.1
	if got[0] != float32(x-float64(float32(x))) || got[0] == 0 || got[1] != 0 || got[2] == 0 {
		t.Errorf("lost %v", got)
	}
}

// TestWrite: a file that is written is read back the same, and the same bytes are written
// again.
func TestWrite(t *testing.T) {
	needLibrary(t)
	of := Trajectory{Name: "waves", Fields: []string{"density", "Bx"}, Frames: 3,
		Grid: field.Grid{H: 2, W: 5, Box: [2]float64{1, 10}, Boundary: [2]field.Boundary{field.Open, field.Periodic}}}
	var files [][]byte
	for range 2 {
		path := filepath.Join(t.TempDir(), "a.hdf5")
		w, err := Create(path, of)
		if err != nil {
			t.Fatal(err)
		}
		for frame := range of.Frames {
			var fields [][]float32
			for c := range of.Fields {
				values := make([]float32, of.Grid.Cells())
				for i := range values {
					values[i] = float32(1000*c + 100*frame + 10*(i/5) + i%5)
				}
				fields = append(fields, values)
			}
			if err := w.Write(fields...); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.End([]float64{0, 0.5, 1}); err != nil {
			t.Fatal(err)
		}
		names, n, err := About(path)
		if err != nil || n != 1 || !slices.Equal(names, of.Fields) {
			t.Fatalf("%v, %d trajectories, %v", names, n, err)
		}
		for c, name := range of.Fields {
			a, err := Open(path, name, -1)
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(a.Shape) != "[3 5 2]" || a.Axes != "FWH" || a.Moments[1].Time != 0.5 {
				t.Errorf("shape %v, axes %s, moments %v", a.Shape, a.Axes, a.Moments)
			}
			if want := of.Grid.Domain(); a.Domain == nil || *a.Domain != *want {
				t.Errorf("domain %s, want %s", a.Domain, want)
			}
			checkDigits(t, a, func(i []int) float64 { return float64(1000*c + 100*i[0] + 10*i[2] + i[1]) })
			a.Close()
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if files = append(files, data); len(files) == 1 {
			time.Sleep(1010 * time.Millisecond) // HDF5 dates are in seconds
		}
	}
	if !slices.Equal(files[0], files[1]) {
		t.Error("the bytes differ when the same is written again")
	}
}

// TestFields: datasets of one shape beside each other are fields; others are opened by their
// paths.
func TestFields(t *testing.T) {
	needLibrary(t)
	const path = "testdata/fields.h5"
	names, n, err := About(path)
	if err != nil || n != 0 || fmt.Sprint(names) != "[Bx rho]" {
		t.Fatalf("%v, %d trajectories, %v", names, n, err)
	}
	for name, scale := range map[string]float64{"rho": 1, "Bx": 2, "X": 1, "more/a": 1} {
		a, err := Open(path, name, -1)
		if err != nil {
			t.Fatal(err)
		}
		checkDigits(t, a, func(i []int) float64 {
			v := 0.0
			for _, index := range i {
				v = 10*v + float64(index)
			}
			return scale * v
		})
		a.Close()
	}
	if _, err := Open(path, "", -1); err == nil || !strings.Contains(err.Error(), "a dataset for each field: name them by npy_load.fields") {
		t.Error(err)
	}
	for _, c := range []struct {
		shape []uint64
		want  bool
	}{{[]uint64{8, 9}, true}, {[]uint64{3, 8, 9}, true}, {[]uint64{200, 64, 32}, true}, {[]uint64{64, 64, 8}, false}, {[]uint64{9}, false}, {[]uint64{3, 8, 9, 2}, false}} {
		if got := ofOneField(c.shape); got != c.want {
			t.Errorf("%v: %v", c.shape, got)
		}
	}
}

func TestRefuses(t *testing.T) {
	needLibrary(t)
	whole, err := os.ReadFile("testdata/plain.hdf5")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, data := range map[string][]byte{"half.hdf5": whole[:len(whole)/2], "empty.h5": {}, "text.h5": []byte("no HDF5 in here")} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		path, name string
		trajectory int
		want       string
	}{
		{"testdata/refined.athdf", "rho", 0, "MeshBlocks of the levels 0 to 1: fmsr reads one grid"},
		{"testdata/deep.athdf", "rho", 0, "a grid of [6 4 2] cells: fmsr reads fields of 2 dimensions"},
		{"testdata/plain.athdf", "vel1", 0, `no field "vel1": it has rho, press, Bcc1`},
		{"testdata/plain.hdf5", "still", 0, `no field "still": it has density, velocity_x`},
		{"testdata/plain.hdf5", "density", 2, "no trajectory 2: it has 2"},
		{"testdata/frames.h5", "", 0, "name the dataset by npy_load.array; it has "},
		{"testdata/frames.h5", "nothing", 0, "doesn't exist; it has "},
		{"testdata/frames.h5", "counts", 0, "want floats, found integers"},
		{folder + "/half.hdf5", "density", 0, "libhdf5 does not open it: truncated file"},
		{folder + "/empty.h5", "density", 0, "libhdf5 does not open it: "},
		{folder + "/text.h5", "density", 0, "libhdf5 does not open it: file signature not found"},
		{folder + "/none.h5", "density", 0, "no such file"},
	} {
		a, err := Open(c.path, c.name, c.trajectory)
		if err == nil {
			a.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s, %s: error %v, want %q", c.path, c.name, err, c.want)
		}
	}
}

// TestDatasets: those of floats, also in groups.
func TestDatasets(t *testing.T) {
	needLibrary(t)
	all, err := Datasets("testdata/frames.h5")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(all, "; "), "run/fields [2 4 6 2]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// FuzzBroken: of a file that ends early, or whose rest is zero as a writer that was killed
// leaves it, an error or arrays that can be read. Other damage is libhdf5's business: of some
// it makes an endless loop.
func FuzzBroken(f *testing.F) {
	needLibrary(f)
	var files [][]byte
	for _, pattern := range []string{"testdata/*5", "testdata/*.athdf"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			files = append(files, data)
			f.Add(uint8(len(files)-1), uint16(len(data)/2), true)
			f.Add(uint8(len(files)-1), uint16(len(data)/2), false)
		}
	}
	f.Fuzz(func(t *testing.T, file uint8, whole uint16, zero bool) {
		data := slices.Clone(files[int(file)%len(files)])
		at := min(int(whole), len(data))
		clear(data[at:])
		if !zero {
			data = data[:at]
		}
		path := filepath.Join(t.TempDir(), "a.hdf5")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		fuzzlimit.Run(t, len(data), func() { readAll(t, path) })
	})
}

// FuzzBoxes: boxes cover the values once, in order.
func FuzzBoxes(f *testing.F) {
	f.Add(uint8(3), uint8(4), uint8(5), uint8(7), uint8(30))
	f.Fuzz(func(t *testing.T, a, b, c, at, n uint8) {
		shape := []int{1 + int(a%6), 1 + int(b%6), 1 + int(c%6)}
		total := shape[0] * shape[1] * shape[2]
		from := int(at) % total
		length := min(int(n), total-from)
		next := from
		err := boxes(shape, from, length, func(start, count []uint64, values int) error {
			if first := (int(start[0])*shape[1]+int(start[1]))*shape[2] + int(start[2]); first != next {
				t.Fatalf("a box starts at %d, want %d", first, next)
			}
			if int(count[0]*count[1]*count[2]) != values || count[2] < uint64(shape[2]) && count[0]*count[1] > 1 || count[1] < uint64(shape[1]) && count[0] > 1 {
				t.Fatalf("a box of %v in %v: want %d contiguous values", count, shape, values)
			}
			next += values
			return nil
		})
		if err != nil || next != from+length {
			t.Errorf("%v from %d: %d values, want %d (%v)", shape, from, next-from, length, err)
		}
	})
}

// readAll reads the first and the last value of every field.
func readAll(t *testing.T, path string) {
	names, _, err := About(path)
	if err != nil {
		return
	}
	for _, name := range append(names, "run/fields") {
		a, err := Open(path, name, 0)
		if err != nil {
			continue
		}
		n := 1
		for _, d := range a.Shape {
			n *= d
		}
		for _, at := range []int{0, n - 1} {
			if err := a.Read(make([]float32, 1), at); err != nil && !strings.Contains(err.Error(), path) {
				t.Errorf("an error without the path: %v", err)
			}
		}
		a.Close()
	}
}
