package dataset

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/testkit/akfile"
)

// athenaValue tells variable, frame and cell from others.
func athenaValue(variable string, frame, y, x int) float64 {
	return float64(1000*len(variable)+100*int(variable[len(variable)-1]-'0')+10*frame+4*y+x) / 4
}

func writeRun(t *testing.T, folder string, n int) {
	t.Helper()
	if err := akfile.Fields(folder, n, 2, 4, athenaValue); err != nil {
		t.Fatal(err)
	}
}

// TestRuns: run folders by the digits at the end of their names, the root itself, or a list.
func TestRuns(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"seed_0003", "x/run7", "x/run12"} {
		writeRun(t, filepath.Join(root, name), 1)
	}
	if err := os.Mkdir(filepath.Join(root, "plots2"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		runs Runs
		want []int
		err  string
	}{
		{Runs{Root: root, Pattern: "*{seed}"}, []int{3}, ""},
		{Runs{Root: root, Pattern: "x/run{seed}"}, []int{7, 12}, ""},
		{Runs{Root: root, Pattern: "*/*{seed}"}, []int{7, 12}, ""},
		{Runs{Root: filepath.Join(root, "seed_0003"), Pattern: "*{seed}"}, []int{0}, ""},
		{Runs{Root: filepath.Join(root, "seed_0003/bin"), Pattern: "*{seed}"}, []int{0}, ""},
		{Runs{Folders: []string{"a", "b"}, Pattern: "*{seed}"}, []int{0, 1}, ""},
		{Runs{Root: filepath.Join(root, "plots2"), Pattern: "*{seed}"}, nil, "no run of AthenaK"},
		{Runs{Root: filepath.Join(root, "none"), Pattern: "*{seed}"}, nil, "no such folder"},
		{Runs{Root: root, Pattern: "*"}, nil, "want {seed}"},
		{Runs{Pattern: "*{seed}"}, nil, "--data-root"},
	} {
		found, err := c.runs.Find()
		if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%+v: %v, %v, want %v, %q", c.runs, got, err, c.want, c.err)
		}
	}
	writeRun(t, filepath.Join(root, "seed_3"), 1)
	if _, err := (Runs{Root: root, Pattern: "*{seed}"}).Find(); err == nil || !strings.Contains(err.Error(), "are seed 3") {
		t.Errorf("two folders of one seed: %v", err)
	}
}

// TestRunFiles: the frames of a run, joined of its outputs, with their times and the domain.
func TestRunFiles(t *testing.T) {
	dir := t.TempDir()
	writeRun(t, dir, 3)
	bin := filepath.Join(dir, "bin")
	for _, id := range []string{"mhd_w_bcc", "mhd_jz"} { // a gap: frames have the numbers of their files
		if err := os.Remove(filepath.Join(bin, "mri."+id+".00000.bin")); err != nil {
			t.Fatal(err)
		}
	}
	fields := []string{"Bz", "jz", "density"}
	view := View{Variables: Variables(fields, AthenaNames)}
	files, err := RunFiles(dir, view, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(files.Paths()) != 4 || !strings.HasSuffix(files.Paths()[0], "mhd_jz.00001.bin") {
		t.Errorf("paths %v", files.Paths())
	}
	run, seed := Run{Fields: fields}, Seed{Files: files}
	numbers, err := run.Measure(&seed)
	if err != nil || !slices.Equal(numbers, []int{1, 2}) || run.Grid != (field.Grid{H: 2, W: 4, Box: [2]float64{1, 1}}) {
		t.Fatalf("frames %v, grid %+v, %v", numbers, run.Grid, err)
	}
	a, err := seed.Reopen()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, number := range []int{2, 1} {
		f, err := seed.Read(a, memory.DefaultAllocator, run, number)
		if err != nil {
			t.Fatal(err)
		}
		want := frames.Origin{Frame: number, Moment: frames.Moment{Known: true, Time: 0.5 * float64(number), Cycle: 10 * number}}
		if f.Origins[0] != want {
			t.Errorf("origin %+v, want %+v", f.Origins[0], want)
		}
		for i, got := range f.XHi() {
			cell, variable := i/3, view.Variables[i%3]
			if want := float32(athenaValue(variable, number, cell/4, cell%4)); got != want {
				t.Errorf("frame %d: %s of cell %d is %g, want %g", number, variable, cell, got, want)
			}
		}
		f.Release()
	}
	one, all := Run{Fields: fields}, Seed{Files: files}
	if all.Files, err = RunFiles(dir, view, []int{2}); err != nil {
		t.Fatal(err)
	}
	if numbers, err := one.Measure(&all); err != nil || !slices.Equal(numbers, []int{2}) {
		t.Errorf("frame 2 alone: %v, %v", numbers, err)
	}
}

// TestRunFilesRefused: each message names what is wrong.
func TestRunFilesRefused(t *testing.T) {
	dir := t.TempDir()
	writeRun(t, dir, 2)
	bin := filepath.Join(dir, "bin")
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(filepath.Join(bin, from), filepath.Join(bin, to)); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(view View, wanted []int, want string) {
		t.Helper()
		if _, err := RunFiles(dir, view, wanted); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	both := View{Variables: []string{"jz", "dens"}}
	refused(View{Variables: []string{"jz", "rho"}}, nil, "no output has the variable rho: its files have jz, dens, velx")
	refused(View{Variables: []string{"jz"}, Outputs: []string{"mhd_w"}}, nil, "no files of the output mhd_w: it has mhd_jz, mhd_w_bcc")
	refused(View{Variables: []string{"jz"}, Outputs: []string{"mhd_w_bcc"}}, nil, "no output has the variable jz")
	refused(both, []int{7}, "none of the frames [7]")
	move("mri.mhd_jz.00001.bin", "mri.mhd_jz.00002.bin")
	refused(both, nil, "list the frames to read in frames")
	if files, err := RunFiles(dir, both, []int{0}); err != nil || len(files.Snapshots) != 1 {
		t.Errorf("the frame that is whole: %v", err)
	}
	move("mri.mhd_jz.00002.bin", "mri.mhd_jz.00001.bin")
	move("mri.mhd_jz.00000.bin", "other.mhd_jz.00000.bin")
	refused(both, nil, "holds the files of several runs")
}

// TestDomain: a spec may say a run's box and boundaries, but not others.
func TestDomain(t *testing.T) {
	dir := t.TempDir()
	write := func(name, boundary string) Seed {
		folder := filepath.Join(dir, name)
		run := akfile.Run{N: [3]int{4, 2, 1}, Block: [3]int{4, 2, 1}, Box: [3]float64{1, 2, 1}, Boundary: boundary}
		m := akfile.Moment{Variables: []string{"jz"}, Value: func(string, int, int, int) float64 { return 0 }}
		if err := run.Write(filepath.Join(folder, "a.jz.00000.bin"), m, nil); err != nil {
			t.Fatal(err)
		}
		files, err := RunFiles(folder, View{Variables: []string{"jz"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return Seed{Files: files}
	}
	round, sheared := write("a", ""), write("b", "shear_periodic")
	open := [2]field.Boundary{field.Periodic, field.Open}
	for _, c := range []struct {
		grid field.Grid
		seed Seed
		err  string
	}{
		{field.Grid{}, round, ""},
		{field.Grid{Box: [2]float64{2, 1.000001}}, round, ""},
		{field.Grid{Box: [2]float64{1, 2}}, round, "a domain of [2, 1], but run.grid.box is [1, 2]"},
		{field.Grid{}, sheared, "boundaries [periodic, open] along y and x, but run.grid.boundary is [periodic, periodic]: set it to [periodic, open]"},
		{field.Grid{Boundary: open}, sheared, ""},
		{field.Grid{Boundary: open}, round, "set it to [periodic, periodic]"},
		{field.Grid{H: 2, W: 4, Box: [2]float64{3, 1}}, round, "but the simulations before it have [3, 1]"},
	} {
		run := Run{Grid: c.grid, Fields: []string{"jz"}}
		if _, err := run.Measure(&c.seed); (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%+v: %v, want %q", c.grid, err, c.err)
		}
	}
}

// TestFindRuns: a run of AthenaK counts as a file of all its variables.
func TestFindRuns(t *testing.T) {
	root := t.TempDir()
	writeRun(t, filepath.Join(root, "a"), 1)
	writeRun(t, filepath.Join(root, "b"), 1)
	both := []string{filepath.Join(root, "a"), filepath.Join(root, "b")}
	for path, want := range map[string][]string{root: both, both[0]: both[:1], filepath.Join(root, "*"): both} {
		if got, err := FindFiles(path, nil); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
	_, names, err := Input(both[0], nil)
	if want := "density velx vely velz eint Bx By Bz jz"; err != nil || strings.Join(names, " ") != want {
		t.Errorf("fields %v, %v, want %s", names, err, want)
	}
	files, names, err := Input(both[0], []string{"By"})
	if err != nil || len(names) != 1 || !slices.Equal(files.View.Variables, []string{"bcc2"}) {
		t.Errorf("By: %v, %v, %v", names, files.View, err)
	}
}
