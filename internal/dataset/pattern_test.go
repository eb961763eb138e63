package dataset

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

func TestPattern(t *testing.T) {
	fields := []string{"B", "Bx", "jz"}
	for _, c := range []struct{ pattern, path, want string }{
		{"run_{seed}/f.npy", "run_0012/f.npy", "seed 12"},
		{"run_{seed}/f.npy", "run_/f.npy", "no"},
		{"run_{seed}/f.npy", "run_1x/f.npy", "no"},
		{"run_{seed}/f.npy", "run_99999999999999999999/f.npy", "seed 9223372036854775807"},
		{"./run_{seed}/f.npy", "run_1/f.npy", "seed 1"},
		{"{seed}/f_{seed}.npz", "003/f_3.npz", "seed 3"},
		{"{seed}/f_{seed}.npz", "3/f_4.npz", "no"},
		{"{seed}_{field}.npy", "3_Bx.npy", "seed 3 Bx"},
		{"{seed}_{field}.npy", "3_B.npy", "seed 3 B"},
		{"{seed}_{field}.npy", "3_By.npy", "no"},
		{"{seed}{field}*.npy", "3Bxy.npy", "seed 3 Bx"},
		{"{field}/{seed}_{field}.npy", "jz/3_Bx.npy", "no"},
		{"*/s?{seed}.npy", "any/s_5.npy", "seed 5"},
		{"snap*{frame}.npy", "snapA_0012.npy", "seed 0, frame 12"},
		{"snap*{frame}.npy", "snap2_10.npy", "seed 0, frame 10"},
		{"{seed}*{frame}*.npy", "12_t34_end.npy", "seed 12, frame 34"},
		{"{seed}*{field}.npy", "3_Bx.npy", "seed 3 Bx"},
		{"*/s?{seed}.npy", "any/more/s_5.npy", "no"},
		{"a.b{seed}.npy", "axb5.npy", "no"},
		{`x[1]\{seed}.npy`, `x[1]\5.npy`, "seed 5"},
		{"x[1]{seed}.npy", "x15.npy", "no"},
		{"{seed}/snap_{frame}.npy", "2/snap_00100.npy", "seed 2, frame 100"},
		{"{seed}/snap_{frame}.npy", "2/snap_x.npy", "no"},
		{"{frame}/{field}_{frame}.npy", "07/jz_7.npy", "seed 0, frame 7 jz"},
		{"{frame}/{field}_{frame}.npy", "07/jz_8.npy", "no"},
	} {
		p, err := ParsePattern(c.pattern, fields)
		if err != nil {
			t.Fatal(err)
		}
		got := "no"
		if at, ok := p.Match(c.path); ok {
			got = at.String()
			if at.Field >= 0 {
				got += " " + fields[at.Field]
			}
		}
		if got != c.want {
			t.Errorf("%s matches %s: %s, want %s", c.pattern, c.path, got, c.want)
		}
		if matched, err := path.Match(p.glob, c.path); c.want != "no" && (!matched || err != nil) {
			t.Errorf("glob %s does not match %s", p.glob, c.path)
		}
	}
	for pattern, want := range map[string]string{
		"":                     "want a path below root",
		"/data/{seed}.npy":     "want a path below root",
		"../{seed}.npy":        "want a path below root",
		"{seed}.txt":           "want .npy or .npz at its end, or one of HDF5's: .h5, .hdf5",
		"f.npy":                "want {seed} in place of the seed's digits, {frame}",
		"{seed}/../f.npy":      "want {seed} in place of the seed's digits",
		"{seed}_{fields}.npy":  "want {seed}, {run}, {frame}, {time} or {field}, not {fields}",
		"{seed}{frame}.npy":    "want a text between {seed} and {frame}",
		"{frame}{frame}.npy":   "want a text between",
		"{seed}_{.npy":         "want a path with {seed} or {run}, {frame} or {time}, {field}, * and ?",
		"{run}/{seed}.npy":     "want {seed} for a simulation's number, or {run} for its name, not both",
		"{time}/{frame}.npy":   "want {frame} for a frame's number, or {time}",
		"{run}{time}.npy":      "want a text between {run} and {time}",
		"{seed}_\xff.npy":      "invalid UTF-8",
		"{seed}_{{field}}.npy": "want a path with",
	} {
		if _, err := ParsePattern(pattern, fields); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", pattern, err, want)
		}
	}
}

// FuzzPattern: a pattern is refused, or matches the path that it was filled in to.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"run_{seed}/f.npy", "{seed}_{field}.npz", "*/{seed}?/{field}_{seed}.npy", "[{seed}.npy", "a/../{seed}.npy", "{frame}/{seed}_{frame}.npy"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fuzzlimit.Run(t, len(text), func() { fillAndMatch(t, text) })
	})
}

func fillAndMatch(t *testing.T, text string) {
	p, err := ParsePattern(text, []string{"B", "Bx"})
	if err != nil {
		return
	}
	filled := strings.NewReplacer("{seed}", "07", "{frame}", "03", "{field}", "Bx", "*", "_", "?", "_").Replace(filepath.Clean(text))
	if ok, err := path.Match(p.glob, filled); err != nil || !ok {
		t.Errorf("%q: glob %q and %q: %v, %v", text, p.glob, filled, ok, err)
	}
	if _, ok := p.Match(filled); !ok && !strings.ContainsAny(text, "*?") && strings.Count(text, "{seed}") <= 1 && strings.Count(text, "{frame}") <= 1 {
		t.Errorf("%q does not match %q", text, filled)
	}
}

// TestNumbersTooLarge: a file whose numbers do not fit is named, not left out.
func TestNumbersTooLarge(t *testing.T) {
	for name, want := range map[string]string{
		"s99999999999999999999_1.npy": "the seed of ",
		"s1_2147483648.npy":           "is frame 2147483648: want at most 2147483647",
	} {
		dir := t.TempDir()
		for _, name := range []string{"s1_1.npy", name} {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		found, err := Layout{Root: dir, Pattern: "s{seed}_{frame}.npy"}.Find()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %v, want %q", name, found, err, want)
		}
	}
}

// TestFoldersThatCannotBeRead: the folder of a seed that cannot be read is named. What is no
// seed's may be anything.
func TestFoldersThatCannotBeRead(t *testing.T) {
	for pattern, file := range map[string]string{"run_{seed}/f.npy": "run_0/f.npy", "{frame}/x*/s{seed}.npy": "0/xy/s3.npy"} {
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(file)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		layout := Layout{Root: root, Pattern: pattern}
		first, _, _ := strings.Cut(file, "/")
		for name, want := range map[string]string{"lost+found": "", strings.Replace(first, "0", "1", 1): "1: no such file"} {
			link := filepath.Join(root, name)
			if err := os.Symlink("nowhere", link); err != nil {
				t.Fatal(err)
			}
			found, err := layout.Find()
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || want == "" && len(found) != 1 {
				t.Errorf("%s with %s: %v, %v, want %q", pattern, name, found, err, want)
			}
			if err := os.Remove(link); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestWords: runs and times without numbers of their own are numbered in their order.
func TestWords(t *testing.T) {
	p, err := ParsePattern("{run}/*/snap_{time}.npy", nil)
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"weak_10/a/snap_0.5.npy", "weak_9/a/snap_0.25.npy", "weak_9/b/snap_10.0.npy", "A/c/snap_2.0.npy", "no.npy"}
	p.Learn(paths)
	for i, want := range []string{"seed 2, frame 1", "seed 1, frame 0", "seed 1, frame 3", "seed 0, frame 2"} {
		if at, ok := p.Match(paths[i]); !ok || at.String() != want {
			t.Errorf("%s: %s, %v, want %s", paths[i], at, ok, want)
		}
	}
	dates := []string{"2025-03-28T0800", "2025-03-28T1600", "2025-04-01T0000", "2025-10-01T0000"}
	if !slices.IsSortedFunc(dates, InOrder) {
		t.Errorf("dates are not in order: %v", dates)
	}
}
