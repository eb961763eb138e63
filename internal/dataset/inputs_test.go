package dataset

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInputs: whatever the layout, stages without seeds read the frames that npy_load reads,
// under the name of the simulation's folder, of its only file, or of the root.
func TestInputs(t *testing.T) {
	fields := []string{"rho", "Bx"}
	length := map[rune]int{'F': 2, 'H': 5, 'W': 6, 'C': 2}
	for _, c := range []struct {
		pattern, axes string
		unnamed       bool   // whether the files do not name the fields
		names         string // of the inputs
	}{
		{"{field}.npy", "", false, "."},
		{"{field}_{frame}.npy", "", false, "."},
		{"run_{seed}/{field}_{frame}.npy", "", false, "run_7 run_10"},
		{"{run}/out/{field}/{time}.npy", "", false, "7 10"},
		{"x{seed}_{field}_{frame}.npy", "", false, "7 10"},
		{"run_{seed}.npy", "FCHW", true, "run_7.npy run_10.npy"},
		{"snap_{frame}.npy", "CFHW", true, "."},
		{"run_{seed}/snap_{frame}.npy", "", true, "run_7 run_10"},
	} {
		dir := t.TempDir()
		writeLaid(t, dir, c.pattern, c.axes, fields, length)
		in := Inputs{Path: dir, Pattern: c.pattern, Axes: c.axes}
		paths, err := in.Find()
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		var names []string
		for _, path := range paths {
			name, err := filepath.Rel(dir, path)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
			files, err := in.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			checkFrames(t, c.pattern+", "+name, files, length)
		}
		if got := strings.Join(names, " "); got != c.names {
			t.Errorf("%s: inputs %s, want %s", c.pattern, got, c.names)
		}
		if c.unnamed != (in.Fields == nil) || !c.unnamed && !slices.Equal(in.Fields, fields) {
			t.Errorf("%s: fields %v", c.pattern, in.Fields)
		}
		// Fields that are given are read alone, and in that order.
		if in = (Inputs{Path: dir, Pattern: c.pattern, Axes: c.axes, Fields: []string{"rho"}}); c.unnamed {
			continue
		}
		if paths, err = in.Find(); err != nil {
			t.Fatal(err)
		}
		files, err := in.Open(paths[0])
		if err != nil {
			t.Fatal(err)
		}
		checkFrames(t, c.pattern+", rho", files, map[rune]int{'F': 2, 'H': 5, 'W': 6, 'C': 1})
	}
	for _, c := range []struct{ pattern, axes, want string }{
		{"fields.npy", "", `pattern: is "fields.npy": want {seed}`},
		{"", "FHW", `axes: is "FHW": want the letters`},
	} {
		said := ""
		in := Inputs{Pattern: c.pattern, Axes: c.axes}
		in.Check(func(key, _ string, args ...any) { said += key + ": " + args[0].(error).Error() })
		if !strings.HasPrefix(said, c.want) {
			t.Errorf("%q, want %s", said, c.want)
		}
	}
}

// writeLaid writes the two frames of laidOut, for runs 7 and 10, where a pattern wants them.
func writeLaid(t *testing.T, dir, pattern, axes string, fields []string, length map[rune]int) {
	t.Helper()
	if axes == "" {
		axes = Axes
	}
	frames, runs := []string{"0", "1"}, []string{"7", "10"}
	for _, run := range runs {
		for f, frame := range frames {
			for c, field := range fields {
				path := strings.NewReplacer("{seed}", run, "{run}", run, "{frame}", frame, "{time}", frame, "{field}", field).Replace(pattern)
				write := axes
				part := map[rune]int{'F': length['F'], 'H': length['H'], 'W': length['W'], 'C': length['C']}
				first := 0
				if strings.Contains(pattern, "{field}") {
					write, part['C'], first = without(write, "C"), 1, first+c
				}
				if strings.Contains(pattern, "{frame}") || strings.Contains(pattern, "{time}") {
					write, part['F'], first = without(write, "F"), 1, first+1000*f
				}
				shape, values := laidOut(write, part, false)
				for i := range values {
					values[i] += float32(first)
				}
				path = filepath.Join(dir, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, npyBytes(shape, false, values), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
