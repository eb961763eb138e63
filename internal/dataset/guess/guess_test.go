package guess

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/format/hdf5"
	"fmsr.example/fmsr/internal/format/npy"
)

// write makes arrays of zeros: "a/b.npy 3,4,5" a line.
func write(t *testing.T, dir, files string) {
	t.Helper()
	for line := range strings.Lines(files) {
		at := strings.LastIndex(strings.TrimSpace(line), " ")
		name, dims := strings.TrimSpace(line)[:at], strings.TrimSpace(line)[at+1:]
		var shape []int
		total := 1
		for _, d := range strings.Split(dims, ",") {
			n := 0
			fmt.Sscan(d, &n)
			shape, total = append(shape, n), total*n
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := npy.WriteFile(path, shape, make([]float32, total)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLook: the layout of folders, as npy_load is told it.
func TestLook(t *testing.T) {
	for what, c := range map[string]struct{ files, want string }{
		"a file a seed":                 {"run_3/all.npy 5,8,8,3\nrun_12/all.npy 4,8,8,3", "run_{seed}/all.npy FHWC field0,field1,field2 8x8: 3 5, 12 4"},
		"numbers that stay":             {"mri256/seed_0000/f_8x8.npy 5,8,8,2\nmri256/seed_0001/f_8x8.npy 5,8,8,2", "mri256/seed_{seed}/f_8x8.npy FHWC field0,field1 8x8: 0 5, 1 5"},
		"a number twice":                {"r1/r01.npy 5,8,8,2\nr2/r02.npy 5,8,8,2", "r{seed}/r{seed}.npy FHWC field0,field1 8x8: 1 5, 2 5"},
		"a file a field":                {"s0_rho.npy 3,8,8\ns0_vx.npy 3,8,8\ns1_rho.npy 3,8,8\ns1_vx.npy 3,8,8", "s{seed}_{field}.npy FHWC rho,vx 8x8: 0 3, 1 3"},
		"one run, a file a field":       {"vy.npy 3,8,8\nBx.npy 3,8,8\ndens.npy 3,8,8\nB_z.npy 3,8,8", "{field}.npy FHWC dens,vy,B_z,Bx 8x8: 0 3"},
		"components":                    {"a/vel_x.npy 3,8,8\na/vel_y.npy 3,8,8", "a/{field}.npy FHWC vel_x,vel_y 8x8: 0 3"},
		"numbered components":           {"1/B1.npy 3,8,8\n1/B2.npy 3,8,8\n2/B1.npy 3,8,8\n2/B2.npy 3,8,8", "{seed}/{field}.npy FHWC B1,B2 8x8: 1 3, 2 3"},
		"numbers in names of fields":    {"1/B1.npy 3,8,8\n1/rho.npy 3,8,8\n2/B1.npy 3,8,8\n2/rho.npy 3,8,8", "{seed}/{field}.npy FHWC rho,B1 8x8: 1 3, 2 3"},
		"a folder a field":              {"rho/5.npy 3,8,8\nrho/6.npy 3,8,8\nvx/5.npy 3,8,8\nvx/6.npy 3,8,8", "{field}/{seed}.npy FHWC rho,vx 8x8: 5 3, 6 3"},
		"a snapshot a file":             {"run1/snap_0.npy 8,8,2\nrun1/snap_10.npy 8,8,2\nrun2/snap_0.npy 8,8,2\nrun2/snap_10.npy 8,8,2", "run{seed}/snap_{frame}.npy FHWC field0,field1 8x8: 1 2, 2 2"},
		"the seed behind the frame":     {"t1/run_5.npy 8,8,2\nt2/run_5.npy 8,8,2\nt1/run_6.npy 8,8,2\nt2/run_6.npy 8,8,2", "t{frame}/run_{seed}.npy FHWC field0,field1 8x8: 5 2, 6 2"},
		"snapshots of one run":          {"d/t1.npy 8,8,2\nd/t2.npy 8,8,2\nd/t3.npy 8,8,2", "d/t{frame}.npy FHWC field0,field1 8x8: 0 3"},
		"a snapshot and its time":       {"1_t0.50.npy 8,8,2\n2_t0.75.npy 8,8,2", "{frame}_t0.*.npy FHWC field0,field1 8x8: 0 2"},
		"velocities of one letter":      {"1/u.npy 3,8,8\n1/v.npy 3,8,8\n1/B1.npy 3,8,8\n1/rho.npy 3,8,8", "1/{field}.npy FHWC rho,u,v,B1 8x8: 0 3"},
		"a field and frame a file":      {"rho_1.npy 8,8\nrho_2.npy 8,8\nvx_1.npy 8,8\nvx_2.npy 8,8", "{field}_{frame}.npy FHWC rho,vx 8x8: 0 2"},
		"snapshots, channels first":     {"1.npy 2,8,8\n2.npy 2,8,8", "{frame}.npy FCHW field0,field1 8x8: 0 2"},
		"snapshots with frames' axis":   {"s_1.npy 1,8,8,2\ns_2.npy 1,8,8,2", "s_{frame}.npy FHWC field0,field1 8x8: 0 2"},
		"runs of a frame":               {"seed_1.npy 1,8,8,2\nseed_2.npy 1,8,8,2", "seed_{seed}.npy FHWC field0,field1 8x8: 1 1, 2 1"},
		"channels first":                {"1.npy 9,2,8,8\n2.npy 9,2,8,8", "{seed}.npy FCHW field0,field1 8x8: 1 9, 2 9"},
		"channels before frames":        {"1.npy 2,20,8,8", "1.npy CFHW field0,field1 8x8: 0 20"},
		"one field":                     {"1.npy 9,8,8\n2.npy 9,8,8", "{seed}.npy FHWC field0 8x8: 1 9, 2 9"},
		"one run":                       {"data.npy 9,8,6,2", "data.npy FHWC field0,field1 8x6: 0 9"},
		"runs by words":                 {"weak.npy 9,8,8,2\nstrong.npy 7,8,8,2", "strong.npy weak.npy FHWC field0,field1 8x8: 0 7, 1 9"},
		"runs by words, a file a field": {"runA/rho.npy 3,8,8\nrunA/u_r.npy 3,8,8\nrunB/rho.npy 3,8,8\nrunB/u_r.npy 3,8,8", "{run}/{field}.npy FHWC rho,u_r 8x8: 0 3, 1 3"},
		"runs by words, snapshots":      {"weak/snap_1.npy 8,8,2\nweak/snap_2.npy 8,8,2\nstrong/snap_1.npy 8,8,2\nstrong/snap_2.npy 8,8,2\nstrong/snap_3.npy 8,8,2", "{run}/snap_{frame}.npy FHWC field0,field1 8x8: 0 3, 1 2"},
		"dates":                         {"2025/03/28/s_2025-03-28T0000.npy 2,8,8\n2025/03/28/s_2025-03-28T0800.npy 2,8,8\n2025/04/01/s_2025-04-01T0000.npy 2,8,8", "*/*/*/s_{time}.npy FCHW field0,field1 8x8: 0 3"},
		"dates of runs":                 {"r1/20250328.npy 8,8,2\nr1/20250329.npy 8,8,2\nr2/20250328.npy 8,8,2", "r{seed}/{time}.npy FHWC field0,field1 8x8: 1 2, 2 1"},
		"odd names":                     {"a b[1]/ü 7 (x).npy 9,8,8,2\na b[1]/ü 8 (x).npy 9,8,8,2", "a b[1]/ü {seed} (x).npy FHWC field0,field1 8x8: 7 9, 8 9"},
		"braces":                        {"{1}.npy 9,8,8,2\n{2}.npy 9,8,8,2", "{1}.npy {2}.npy FHWC field0,field1 8x8: 0 9, 1 9"},
		"pieces of runs":                {"r1/p1.npy 9,8,8,2\nr1/p2.npy 9,8,8,2\nr2/p1.npy 9,8,8,2\nr2/p2.npy 9,8,8,2", "r1/p1.npy r1/p2.npy r2/p1.npy r2/p2.npy FHWC field0,field1 8x8: 0 9, 1 9, 2 9, 3 9"},
		"another set beside it":         {"hi/1.npy 9,8,8,2\nlo/1.npy 9,4,4,2\nhi/2.npy 9,8,8,2", "hi/{seed}.npy FHWC field0,field1 8x8: 1 9, 2 9"},
		"times beside it":               {"f.npy 9,8,8,2\ntimes.npy 9", "f.npy FHWC field0,field1 8x8: 0 9"},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, c.files)
			s, err := Look(context.Background(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(s); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

func describe(s *Set) string {
	var b strings.Builder
	b.WriteString(s.Layout.Pattern)
	for i, path := range s.Layout.Files {
		if i > 0 {
			b.WriteString(" ")
		}
		below, _ := filepath.Rel(s.Dir, path)
		b.WriteString(below)
	}
	axes := s.Form.Axes
	if axes == "" {
		axes = "FHWC"
	}
	fmt.Fprintf(&b, " %s %s %dx%d:", axes, strings.Join(s.Form.Names, ","), s.H, s.W)
	for i, seed := range s.Seeds {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, " %d %d", seed.Seed, len(seed.Frames))
	}
	return b.String()
}

// TestLookSaysWhy: what cannot be read, and why.
func TestLookSaysWhy(t *testing.T) {
	for files, want := range map[string]string{
		"notes.txt -": "no npy, npz or HDF5 file there, and no run of AthenaK: it has 1 .txt",
		"t.npy 9":     "no array with frames in 1 file: ",
		"1/rho.npy 3,8,8\n1/vx.npy 3,8,8\n2/rho.npy 3,8,8":           "a field is missing: beside 2/rho.npy there is no file for vx",
		"a/1/x2.npy 8,8\na/2/x1.npy 8,8\nb/1/y2.npy 8,8":             "nothing in common",
		"1/1/1.npy 8,8\n1/1/2.npy 8,8\n1/2/1.npy 8,8\n2/1/1.npy 8,8": `3 numbers vary in the names of files ("1", "/1", "/1"): want at most two`,
		"1.npy 5,5,5,5,5": "has the shape [5 5 5 5 5]: want frames, H, W and fields",
	} {
		dir := t.TempDir()
		if name, ok := strings.CutSuffix(files, " -"); ok {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		} else {
			write(t, dir, files)
		}
		if s, err := Look(context.Background(), dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %q", files, s, err, want)
		}
	}
}

// TestLookHDF5: The Well's trajectories, with their splits; athdf's frames; a dataset.
func TestLookHDF5(t *testing.T) {
	if err := hdf5.Usable(); err != nil {
		t.Skip(err)
	}
	for what, c := range map[string]struct{ files, want, also string }{
		"The Well": {"plain.hdf5 valid/b.hdf5,plain.hdf5 train/a.hdf5", "train/a.hdf5 valid/b.hdf5 FHWC density,velocity_x,velocity_y,stress_xx,stress_xy,stress_yx,stress_yy 6x4: 0 3, 1 3, 2 3, 3 3", "map[0:train 1:train 2:val 3:val] <nil>"},
		"athdf":    {"boxed.athdf run0/m.00004.athdf,boxed.athdf run0/m.00005.athdf", "run0/m.{frame}.athdf FHWC rho,press,Bcc1 4x6: 0 2", "map[] 1 x 3, boundaries not known"},
		"other":    {"frames.h5 a1.h5,frames.h5 a2.h5", "a{seed}.h5 FHWC field0,field1 4x6: 1 2, 2 2", "map[] <nil>"},
	} {
		dir := t.TempDir()
		for _, line := range strings.Split(c.files, ",") {
			from, to, _ := strings.Cut(line, " ")
			data, err := os.ReadFile(filepath.Join("../../format/hdf5/testdata", from))
			if err == nil {
				err = os.MkdirAll(filepath.Join(dir, filepath.Dir(to)), 0o755)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, to), data, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		s, err := Look(context.Background(), dir)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if got, also := describe(s), fmt.Sprint(s.Splits, " ", s.Domain); got != c.want || also != c.also {
			t.Errorf("%s: %s, %s\nwant %s, %s", what, got, also, c.want, c.also)
		}
	}
}
