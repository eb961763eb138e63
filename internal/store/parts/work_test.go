package parts

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sharedWork is the work of three shards, opened in a new folder.
func sharedWork(t *testing.T, version string) *Set {
	t.Helper()
	w := work("k", seeds(5, 2, 9, 7, 1))
	w.Version, w.Shards = version, 3
	s, err := Open(t.TempDir(), w, false, nil)
	if err := errors.Join(err, s.Begin()); err != nil {
		t.Fatal(err)
	}
	return s
}

// found returns the set that fmsr merge would find.
func found(t *testing.T, dir string) *Set {
	t.Helper()
	sets, err := Find(dir)
	if err != nil || len(sets) != 1 {
		t.Fatalf("%d sets, %v", len(sets), err)
	}
	return sets[0]
}

// TestCheck names the shards and seeds of what is missing, there twice, or made by others.
func TestCheck(t *testing.T) {
	all := func(t *testing.T, s *Set) {
		for i, seed := range []int{5, 2, 9, 7, 1} {
			finish(t, s, seed, 10+i)
		}
	}
	for want, do := range map[string]func(t *testing.T, s *Set){
		"": all,
		"shard 1/3 is missing (seed 5, seed 7); shard 2/3 is not finished (seed 1): run what is missing, then merge": func(t *testing.T, s *Set) {
			finish(t, s, 9, 10)
			finish(t, s, 2, 10)
		},
		"shard 2/3 is not finished (seed 2); ": func(t *testing.T, s *Set) {
			all(t, s)
			if err := os.WriteFile(filepath.Join(s.dir, "seed_0002.arrow"), []byte("other bytes"), 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"fmsr v1 made seed 5 (shard 1/3), and fmsr v2 made seed 9 (shard 3/3): run one of them again": func(t *testing.T, s *Set) {
			all(t, s)
			s.Version = "v2"
			finish(t, s, 9, 10)
		},
		"seed 2 (shard 2/3) was made by another spec or from other data": func(t *testing.T, s *Set) {
			all(t, s)
			s.Items[1].Key = "other"
			finish(t, s, 2, 10)
		},
		"seed_0003 is there besides the simulations of the last run here": func(t *testing.T, s *Set) {
			all(t, s)
			s.Items[1] = Item{Seed: 3, Key: "other"}
			finish(t, s, 3, 10)
		},
		"seed_0005 is there twice, also in place of seed 2 (shard 2/3)": func(t *testing.T, s *Set) {
			all(t, s)
			data, err := os.ReadFile(filepath.Join(s.folder(), "seed_0005.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(s.folder(), "seed_0002.json"), data, 0o644); err != nil {
				t.Fatal(err)
			}
		},
	} {
		s := sharedWork(t, "v1")
		do(t, s)
		records, err := found(t, s.dir).Check(context.Background())
		switch {
		case want == "" && (err != nil || len(records) != 5 || records[1].Seed != 2):
			t.Errorf("%v, %v", records, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestSummarized: a summary is of its records and its files' bytes.
func TestSummarized(t *testing.T) {
	s := sharedWork(t, "v1")
	for _, seed := range []int{5, 2, 9, 7, 1} {
		finish(t, s, seed, 10)
	}
	ctx := context.Background()
	records, err := s.Check(ctx)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir, "table")
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if s.Summarized(ctx, records) {
		t.Error("before it was made")
	}
	if err := s.Summarize(records, "table"); err != nil {
		t.Fatal(err)
	}
	if !s.Summarized(ctx, records) || s.Summarized(ctx, records[1:]) {
		t.Error("it is not of its records")
	}
	if err := os.WriteFile(path, []byte("y"), 0o644); err != nil {
		t.Fatal(err)
	}
	if s.Summarized(ctx, records) {
		t.Error("after its file has changed")
	}
}

// TestFiles: each file has a key of its own, and its result is found in another run's input,
// at another place.
func TestFiles(t *testing.T) {
	dir, long := t.TempDir(), strings.Repeat("x", 250)+".npy"
	of := func(names ...string) *Set {
		w := Work{Sink: "files_save", OfFiles: true}
		for i, name := range names {
			w.Items = append(w.Items, Item{Seed: i, Name: name, Key: "k" + name})
		}
		s, err := Open(dir, w, false, nil)
		if err := errors.Join(err, s.Begin()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := of("a.npy", "c.npy", "d.npy", long)
	finish(t, s, 3, 10)
	s = of("a.npy", "b.npy", long)
	if got := finished(t, s); len(got) != 1 || !got[2] {
		t.Errorf("finished %v, want the third", got)
	}
	finish(t, s, 0, 10)
	finish(t, s, 1, 10)
	if records, err := found(t, dir).Check(context.Background()); err != nil || len(records) != 3 {
		t.Errorf("%v, %v", records, err)
	}
	of("b.npy") // the others are an earlier run's
	if records, err := found(t, dir).Check(context.Background()); err != nil || len(records) != 1 {
		t.Errorf("%v, %v", records, err)
	}
}

// TestForget: a forgotten work's summary is gone, but for a file that somebody has replaced.
func TestForget(t *testing.T) {
	w := work("k", seeds(0))
	w.OfFiles, w.Sink = true, "compare"
	dir := t.TempDir()
	if err := Forget(dir, "compare"); err != nil { // there is none
		t.Fatal(err)
	}
	s, err := Open(dir, w, false, nil)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a.json", "a")
	write("b.json", "b")
	if err := errors.Join(err, s.Begin(), s.Summarize(nil, "a.json", "b.json")); err != nil {
		t.Fatal(err)
	}
	write("b.json", "mine")
	if err := Forget(dir, "compare"); err != nil {
		t.Fatal(err)
	}
	if sets, err := Find(dir); len(sets) != 0 || err != nil {
		t.Errorf("%d sets, %v", len(sets), err)
	}
	for name, want := range map[string]bool{"a.json": false, "b.json": true, ".parts/compare/whole.json": false} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %t", name, err, want)
		}
	}
}
