package athenak

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/testkit/akfile"
	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

// value is a number that tells a variable and a cell from all others. As float32 it is exact.
func value(variable string, x1, x2, x3 int) float64 {
	return float64(len(variable)*100000 + 10000*int(variable[0]-'a') + 400*x3 + 20*x2 + x1)
}

var moment = akfile.Moment{Time: 2.5, Cycle: 7, Variables: []string{"dens", "by"}, Value: value}

// planes are the shapes of runs that are read.
var planes = map[string]struct {
	run    akfile.Run
	slice  Slice
	blocks [][]int // of each file; nil: one file of all
}{
	"one block":       {run: akfile.Run{N: [3]int{6, 4, 1}, Block: [3]int{6, 4, 1}}},
	"blocks":          {run: akfile.Run{N: [3]int{6, 8, 1}, Block: [3]int{3, 2, 1}}},
	"in any order":    {run: akfile.Run{N: [3]int{6, 4, 1}, Block: [3]int{3, 2, 1}}, blocks: [][]int{{3, 0, 2, 1}}},
	"a file a rank":   {run: akfile.Run{N: [3]int{6, 4, 1}, Block: [3]int{3, 2, 1}}, blocks: [][]int{{2}, {0, 3}, {1}}},
	"float64":         {run: akfile.Run{N: [3]int{6, 4, 1}, Block: [3]int{3, 2, 1}, Wide: true}},
	"ghost cells":     {run: akfile.Run{N: [3]int{8, 4, 1}, Block: [3]int{4, 4, 1}, Ghosts: true}},
	"normal to z":     {run: akfile.Run{N: [3]int{4, 6, 8}, Block: [3]int{2, 3, 4}}, slice: Slice{Axis: "z", Index: 5}},
	"ghosts and z":    {run: akfile.Run{N: [3]int{4, 6, 8}, Block: [3]int{4, 6, 4}, Ghosts: true}, slice: Slice{Axis: "z", Index: 5}},
	"normal to y":     {run: akfile.Run{N: [3]int{4, 6, 8}, Block: [3]int{2, 3, 4}}, slice: Slice{Axis: "y", Index: 0}},
	"normal to x":     {run: akfile.Run{N: [3]int{4, 6, 8}, Block: [3]int{2, 3, 4}, Wide: true}, slice: Slice{Axis: "x", Index: 3}},
	"position":        {run: akfile.Run{N: [3]int{4, 6, 8}, Block: [3]int{2, 3, 4}}, slice: Slice{Axis: "z", Index: -1, Position: 0.2}},
	"the last edge":   {run: akfile.Run{N: [3]int{4, 6, 8}, Block: [3]int{2, 3, 4}}, slice: Slice{Axis: "z", Index: -1, Position: 0.5}},
	"AthenaK's slice": {run: akfile.Run{N: [3]int{4, 6, 8}, Block: [3]int{2, 3, 4}, Normal: 2, At: 4}},
}

// TestPlanes: every cell of every variable is in its place.
func TestPlanes(t *testing.T) {
	at := map[string]int{"normal to z": 5, "ghosts and z": 5, "normal to x": 3, "position": 5, "the last edge": 7, "AthenaK's slice": 4}
	for name, c := range planes {
		dir := t.TempDir()
		if c.blocks == nil {
			c.blocks = [][]int{nil}
		}
		var paths []string
		for i, blocks := range c.blocks {
			paths = append(paths, filepath.Join(dir, fmt.Sprint(i)))
			if err := c.run.Write(paths[i], moment, blocks); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Join(paths, c.slice)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		normal := strings.Index("xyz", c.slice.Axis)
		if c.slice.Axis == "" {
			if normal = 2; c.run.Normal > 0 {
				normal = c.run.Normal - 1
			}
		}
		axes := slices.DeleteFunc([]int{0, 1, 2}, func(a int) bool { return a == normal })
		if s.W != c.run.N[axes[0]] || s.H != c.run.N[axes[1]] || s.Time != 2.5 || s.Cycle != 7 || !s.Known || s.Double() != c.run.Wide {
			t.Errorf("%s: %s, time %g, cycle %d, float64 %v", name, s.Grid, s.Time, s.Cycle, s.Double())
		}
		plane := make([]float32, s.H*s.W)
		for _, v := range moment.Variables {
			if err := s.Read(plane, v); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for i, got := range plane {
				var cell [3]int
				cell[normal], cell[axes[0]], cell[axes[1]] = at[name], i%s.W, i/s.W
				if want := float32(value(v, cell[0], cell[1], cell[2])); got != want {
					t.Errorf("%s: %s at %v is %g, want %g", name, v, cell, got, want)
					break
				}
			}
		}
		s.Close()
	}
}

// TestLow: what float32 loses of float64 values.
func TestLow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	m := akfile.Moment{Variables: []string{"p"}, Value: func(string, int, int, int) float64 { return 1e5 + 1e-4 }}
	if err := (akfile.Run{N: [3]int{2, 2, 1}, Block: [3]int{2, 2, 1}, Wide: true}).Write(path, m, nil); err != nil {
		t.Fatal(err)
	}
	s, err := Join([]string{path}, Slice{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	high, low := make([]float32, 4), make([]float32, 4)
	err = s.Read(high, "p")
	s.Low(true)
	if err2 := s.Read(low, "p"); err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if got := float64(high[3]) + float64(low[3]); math.Abs(got-(1e5+1e-4)) > 1e-10 || low[3] == 0 {
		t.Errorf("%g and %g are %.10g", high[3], low[3], got)
	}
}

// TestGrid: the box and the boundaries are those of the plane's axes.
func TestGrid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	run := akfile.Run{N: [3]int{2, 4, 6}, Block: [3]int{2, 4, 6}, Box: [3]float64{1, 2, 3}, Boundary: "shear_periodic"}
	if err := run.Write(path, moment, nil); err != nil {
		t.Fatal(err)
	}
	for axis, want := range map[string]field.Grid{
		"z": {H: 4, W: 2, Box: [2]float64{2, 1}, Boundary: [2]field.Boundary{field.Periodic, field.Open}},
		"y": {H: 6, W: 2, Box: [2]float64{3, 1}, Boundary: [2]field.Boundary{field.Periodic, field.Open}},
		"x": {H: 6, W: 4, Box: [2]float64{3, 2}},
	} {
		s, err := Join([]string{path}, Slice{Axis: axis})
		if err != nil {
			t.Fatal(err)
		}
		if s.Grid != want {
			t.Errorf("normal to %s: %+v, want %+v", axis, s.Grid, want)
		}
		s.Close()
	}
}

// TestRefused: what is not read, by what the message says.
func TestRefused(t *testing.T) {
	flat, solid := akfile.Run{N: [3]int{4, 4, 1}, Block: [3]int{2, 2, 1}}, akfile.Run{N: [3]int{4, 4, 4}, Block: [3]int{4, 4, 4}}
	refined, other := flat, flat
	refined.Level, other.Box = 1, [3]float64{2, 2, 2}
	later, jz := moment, moment
	later.Cycle, jz.Variables = 8, []string{"jz"}
	whole := flat.Bytes(moment, nil)
	for want, c := range map[string]struct {
		files [][]byte
		slice Slice
	}{
		"not an AthenaK file of version 1.1":                        {files: [][]byte{[]byte("\x93NUMPY")}},
		"truncated: it has":                                         {files: [][]byte{whole[:len(whole)-1]}},
		"MeshBlocks of 12 of the 16 cells of a plane":               {files: [][]byte{flat.Bytes(moment, []int{0, 2, 3})}},
		"MeshBlocks of 8 of the 16 cells of a plane":                {files: [][]byte{whole, flat.Bytes(jz, []int{0, 2})}},
		"the MeshBlock [0 1 0] is in":                               {files: [][]byte{whole, flat.Bytes(moment, []int{2})}},
		"level 1 of refinement":                                     {files: [][]byte{refined.Bytes(moment, nil)}},
		"4 x 4 x 4 cells, a 3D run":                                 {files: [][]byte{solid.Bytes(moment, nil)}},
		"slice: cell 4 of 4 along z":                                {files: [][]byte{solid.Bytes(moment, nil)}, slice: Slice{Axis: "z", Index: 4}},
		"slice: position 0.6 outside -0.5 to 0.5 along x":           {files: [][]byte{solid.Bytes(moment, nil)}, slice: Slice{Axis: "x", Index: -1, Position: 0.6}},
		"a plane normal to x3 already":                              {files: [][]byte{whole}, slice: Slice{Axis: "z"}},
		"4 x 1 x 1 cells: want two axes":                            {files: [][]byte{akfile.Run{N: [3]int{4, 1, 1}, Block: [3]int{4, 1, 1}}.Bytes(moment, nil)}},
		"is of time 2.5, cycle 7, and ":                             {files: [][]byte{whole, flat.Bytes(later, nil)}},
		"have different meshes":                                     {files: [][]byte{whole, other.Bytes(jz, nil)}},
		"no MeshBlock":                                              {files: [][]byte{flat.Bytes(moment, []int{})}},
		"no variable velx: it and the files beside it have dens, b": {files: [][]byte{whole}},
	} {
		dir := t.TempDir()
		var paths []string
		for i, data := range c.files {
			paths = append(paths, filepath.Join(dir, fmt.Sprint(i)))
			if err := os.WriteFile(paths[i], data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Join(paths, c.slice)
		if err == nil {
			err = s.Check([]string{"dens", "velx"})
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%v, want %q and the file", err, want)
		}
	}
}

// TestHeader: time, cycle and the input file, of a file that AthenaK wrote, and its values
// as numpy reads them.
func TestHeader(t *testing.T) {
	s, err := Join([]string{"testdata/mri.mhd_jz.00001.bin"}, Slice{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := s.Files[0]
	if f.Moment != (frames.Moment{Known: true, Time: 6.28716803, Cycle: 1301}) || s.Moment != f.Moment || !slices.Equal(f.Variables, []string{"jz"}) {
		t.Errorf("%+v, %v", f.Moment, f.Variables)
	}
	if p := f.Parameters; p["mhd"]["nu_iso"] != "3.0e-5" || p["output2"]["ghost_zones"] != "0" || p["comment"]["problem"] != "2D MRI" {
		t.Errorf("parameters %v", p)
	}
	plane := make([]float32, s.H*s.W)
	if err := s.Read(plane, "jz"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		y, x int
		want float32
	}{{0, 0, -1.4020385e-01}, {5, 40, 9.646809e-02}, {40, 5, -9.988903e-02}, {63, 63, -1.3988876e-01}} {
		if got := plane[c.y*s.W+c.x]; got != c.want {
			t.Errorf("jz at %d, %d is %v, want %v", c.y, c.x, got, c.want)
		}
	}
}

// TestShared: two outputs of four MeshBlocks each, joined, have numpy's mean, deviation and
// values: those that akbin.py, beside the files, reads.
func TestShared(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "athenak", "bin")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the real files are not there: ../shared/athenak beside the repository")
	}
	s, err := Join([]string{filepath.Join(dir, "mri.mhd_w_bcc.00003.bin"), filepath.Join(dir, "mri.mhd_jz.00003.bin")}, Slice{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Time != 18.8510303 || s.Cycle != 4031 || s.Grid != (field.Grid{H: 64, W: 64, Box: [2]float64{1, 1}}) {
		t.Errorf("time %v, cycle %d, grid %+v", s.Time, s.Cycle, s.Grid)
	}
	plane := make([]float32, s.Cells())
	for _, c := range []struct {
		variable      string
		mean, std, at float64 // at row 7, column 50
	}{
		{"dens", 1, 0.02538135, 0.9893882},
		{"velx", 2.580053e-05, 0.06830626, 0.04031241},
		{"vely", -3.157196e-05, 0.04148589, 0.0221027},
		{"velz", 0.0003575684, 0.1462712, 0.01923819},
		{"eint", 1.49062, 0.08940408, 1.474752},
		{"bcc1", 8.303989e-10, 0.07459478, 0.1314006},
		{"bcc2", -1.144151e-10, 0.03104784, 0.01173194},
		{"bcc3", -9.469758e-10, 0.1703783, -0.1721798},
		{"jz", -1.588205e-10, 4.049338, 6.528878},
	} {
		if err := s.Read(plane, c.variable); err != nil {
			t.Fatal(err)
		}
		var w field.Welford
		for i, x := range plane {
			d := float64(x) - w.Mean
			w.Mean += d / float64(i+1)
			w.M2 += d * (float64(x) - w.Mean)
		}
		w.Count = float64(len(plane))
		at := float64(plane[7*s.W+50])
		if math.Abs(w.Mean-c.mean) > 1e-6*(math.Abs(c.mean)+c.std) || math.Abs(w.Std()-c.std) > 1e-6*c.std || math.Abs(at-c.at) > 1e-6*math.Abs(c.at) {
			t.Errorf("%s: mean %.7g, deviation %.7g, %.7g at row 7, column 50: want %.7g, %.7g, %.7g", c.variable, w.Mean, w.Std(), at, c.mean, c.std, c.at)
		}
	}
}

func FuzzOpen(f *testing.F) {
	whole := akfile.Run{N: [3]int{4, 4, 1}, Block: [3]int{2, 2, 1}}.Bytes(moment, nil)
	f.Add(whole)
	f.Add(akfile.Run{N: [3]int{4, 4, 4}, Block: [3]int{2, 2, 2}, Wide: true, Ghosts: true}.Bytes(moment, nil))
	f.Add(whole[:len(whole)-3])
	for _, change := range [][2]string{
		{"nx1 = 4", "nx1 = 999999999"}, {"nx1 = 2", "nx1 = -1"}, {"header offset=", "header offset=9999999999"}, {"number of variables=2", "number of variables=3"},
		{"time=2", "time=NaN"}, {"size of location=4", "size of location=0"}, {"nghost = 2", "nghost = 1000000000"}, {"x1max = 0.5", "x1max = -0.5"}, {"<mesh>", "<mush>"},
	} {
		f.Add([]byte(strings.Replace(string(whole), change[0], change[1], 1)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzlimit.Run(t, len(data), func() { openAndRead(t, data) })
	})
}

// openAndRead reads every variable of whatever data is.
func openAndRead(t *testing.T, data []byte) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, slice := range []Slice{{}, {Axis: "y", Index: -1}} {
		s, err := Join([]string{path}, slice)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("%v does not name the file", err)
			}
			continue
		}
		plane := make([]float32, s.H*s.W)
		for _, v := range s.Variables() {
			if err := s.Read(plane, v); err != nil {
				t.Error(err)
			}
		}
		s.Close()
	}
}
