package stages

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/pipeline"
)

// TestInputs: whatever the files are called and however they are cut, the same
// frames come from them.
func TestInputs(t *testing.T) {
	root := t.TempDir()
	fields := []string{"a", "b"}
	write := func(path string, shape []int, values ...float32) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := npy.WriteFile(path, shape, values); err != nil {
			t.Fatal(err)
		}
	}
	for seed := range 2 {
		v := 100 * float32(seed)
		write(fmt.Sprintf("whole/run_%d/f.npy", seed), []int{2, 1, 2, 2}, v, v+10, v+1, v+11, v+2, v+12, v+3, v+13)
		write(fmt.Sprintf("split/%d_a.npy", seed), []int{2, 1, 2}, v, v+1, v+2, v+3)
		write(fmt.Sprintf("split/%d_b.npy", seed), []int{2, 1, 2, 1}, v+10, v+11, v+12, v+13)
		write(fmt.Sprintf("first/%d.npy", seed), []int{2, 2, 1, 2}, v, v+1, v+10, v+11, v+2, v+3, v+12, v+13)
		for _, frame := range []float32{0, 1} {
			w := v + 2*frame
			write(fmt.Sprintf("snap/%d/s_%04.0f.npy", seed, frame), []int{1, 2, 2}, w, w+10, w+1, w+11)
			write(fmt.Sprintf("one/%d/a_%02.0f.npy", seed, frame), []int{1, 2}, w, w+1)
			write(fmt.Sprintf("one/%d/b_%02.0f.npy", seed, frame), []int{1, 1, 2}, w+10, w+11)
			write(fmt.Sprintf("snap first/%d/%04.0f.npy", seed, frame), []int{2, 1, 2}, w, w+1, w+10, w+11)
		}
	}
	whole := []string{filepath.Join(root, "whole/run_0/f.npy"), filepath.Join(root, "whole/run_1/f.npy")}
	want := "0/0 train [0 10 1 11],0/1 train [2 12 3 13],1/0 val [100 110 101 111],1/1 val [102 112 103 113]"
	for name, c := range map[string]NpyLoad{
		"pattern": {Root: root, Pattern: "whole/run_{seed}/f.npy", Fields: fields},
		"field":   {Root: root, Pattern: "split/{seed}_{field}.npy", Fields: fields},
		"files":   {Files: whole, Fields: fields},
		"first":   {Root: root, Pattern: "first/{seed}.npy", Axes: "FCHW", Fields: fields},
		"frame":   {Root: root, Pattern: "snap/{seed}/s_{frame}.npy", Fields: fields},
		"each":    {Root: root, Pattern: "one/{seed}/{field}_{frame}.npy", Fields: fields},
		"all":     {Root: root, Pattern: "snap first/{seed}/{frame}.npy", Axes: "FCHW", Fields: fields},
	} {
		t.Run(name, func(t *testing.T) {
			_, got, err := loadAll(t, c)
			if err != nil {
				t.Fatal(err)
			}
			if s := strings.Join(got, ","); s != want {
				t.Errorf("emitted %s\nwant    %s", s, want)
			}
		})
	}

	// one long run of snapshots, by their numbers
	write("run/0100.npy", []int{1, 1, 2}, 1, 2)
	write("run/0200.npy", []int{1, 1, 2}, 3, 4)
	write("run/0300.npy", []int{1, 1, 2}, 5, 6)
	long := NpyLoad{Root: root, Pattern: "run/{frame}.npy", Fields: fields, Splitting: Splitting{SplitFrames: map[string][]int{"train": {100}, "val": {300}}}}
	if _, got, err := loadAll(t, long); err != nil || strings.Join(got, ",") != "0/100 train [1 2],0/300 val [5 6]" {
		t.Errorf("emitted %s, %v", got, err)
	}
	long.Frames = []int{150}
	if _, _, err := loadAll(t, long); err == nil || !strings.Contains(err.Error(), "0100.npy: 3 frames, 100 to 300, but frame 150 is asked for") {
		t.Errorf("error %v", err)
	}

	write("split/2_a.npy", []int{2, 1, 2}, 0, 0, 0, 0)
	write("named/z/a.npy", []int{2, 1, 2}, 0, 0, 0, 0)
	write("odd/3_a.npy", []int{2, 1, 2}, 0, 0, 0, 0)
	write("odd/3_b.npy", []int{1, 1, 2}, 0, 0)
	write("twice/1_x.npy", []int{1, 1, 2, 2}, 0, 0, 0, 0)
	write("twice/01_y.npy", []int{1, 1, 2, 2}, 0, 0, 0, 0)
	for want, c := range map[string]NpyLoad{
		"seed 2 has no file for b":                                  {Root: root, Pattern: "split/{seed}_{field}.npy", Fields: fields},
		"3_b.npy: shape [1 1 2], but ":                              {Root: root, Pattern: "odd/{seed}_{field}.npy", Fields: fields},
		"f.npy: shape [2 1 2 2], want (frames, H, W), one field":    {Root: root, Pattern: "whole/run_{seed}/{field}.npy", Fields: []string{"f"}},
		"named/z has no file for b":                                 {Root: root, Pattern: "named/{run}/{field}.npy", Fields: fields},
		"1_x.npy are seed 1":                                        {Root: root, Pattern: "twice/{seed}_?.npy", Fields: fields},
		"has no file of the pattern run{seed}.npy: it holds first":  {Root: root, Pattern: "run{seed}.npy", Fields: fields},
		"seed 5 is not in files: it has 2 seeds, 0 to 1":            {Files: whole, Seeds: []int{5}, Fields: fields},
		"2_a.npy: shape [2 1 2], want (frames, H, W, channels)":     {Files: []string{filepath.Join(root, "split/2_a.npy")}, Fields: fields},
		"run_0/f.npy: array \"x\" is asked for, but only an npz":    {Files: whole, Array: "x", Fields: fields},
		"none.npy: no such file or directory":                       {Files: []string{filepath.Join(root, "none.npy")}, Fields: fields},
		"root is not set: give the folder that holds p{seed}.npy b": {Pattern: "p{seed}.npy", Fields: fields},
	} {
		if _, _, err := loadAll(t, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v\nwant  %s", err, want)
		}
	}
}

// loadAll is load, with every value.
func loadAll(t *testing.T, c NpyLoad) (pipeline.Meta, []string, error) {
	return emitted(t, testEnv(t), &npyLoad{NpyLoad: c}, func(f *frames.Frames) any { return frames.Floats(f.Hi) })
}

// TestIdentity: whichever file changes, in size or time, so does the identity.
func TestIdentity(t *testing.T) {
	root := t.TempDir()
	files := []string{filepath.Join(root, "1_a.npy"), filepath.Join(root, "1_b.npy")}
	for _, path := range files {
		if err := npy.WriteFile(path, []int{1, 1, 2}, []float32{1, 2}); err != nil {
			t.Fatal(err)
		}
	}
	identity := func() string {
		meta, _, err := loadAll(t, NpyLoad{Root: root, Pattern: "{seed}_{field}.npy", Fields: []string{"a", "b"}})
		if err != nil {
			t.Fatal(err)
		}
		return meta.Identity
	}
	before := identity()
	if identity() != before {
		t.Error("the identity of the same files changed")
	}
	for _, path := range files {
		if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		after := identity()
		if after == before {
			t.Errorf("%s changed, and the identity did not", path)
		}
		before = after
	}
}
