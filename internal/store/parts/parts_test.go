package parts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"fmsr.example/fmsr/internal/frames"
)

// work is the export of these parts under a key.
func work(key string, all []frames.Part) Work {
	w := Work{Sink: "export"}
	for _, p := range all {
		w.Items = append(w.Items, Item{Seed: p.Seed, Split: p.Split, Name: fmt.Sprintf("seed %d", p.Seed), Key: key})
	}
	return w
}

func open(t *testing.T, dir, key string) *Set {
	t.Helper()
	s, err := Open(dir, work(key, seeds(5, 2, 9)), false, nil)
	if err := errors.Join(err, s.Begin()); err != nil {
		t.Fatal(err)
	}
	return s
}

// finish puts a data file of that many bytes there and commits it.
func finish(t *testing.T, s *Set, seed, bytes int) {
	t.Helper()
	name := fmt.Sprintf("seed_%04d.arrow", seed)
	if err := os.WriteFile(filepath.Join(s.dir, name), make([]byte, bytes), 0o644); err != nil {
		t.Error(err)
	}
	sum := sha256.Sum256(make([]byte, bytes))
	err := s.Commit(Record{Seed: seed, Files: []File{{Path: name, Rows: 3, Bytes: int64(bytes), SHA256: hex.EncodeToString(sum[:])}}, Extra: json.RawMessage(fmt.Sprintf(`{"n":%d}`, seed))})
	if err != nil {
		t.Error(err)
	}
}

func finished(t *testing.T, s *Set) map[int]bool {
	t.Helper()
	f, _, err := s.Finished(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	whole := map[int]bool{}
	for part := range f {
		whole[part.Seed] = true
	}
	return whole
}

func seeds(numbers ...int) (all []frames.Part) {
	for _, n := range numbers {
		all = append(all, frames.Part{Seed: n})
	}
	return all
}

// TestPartsOfASeed: the splits of a seed that is cut in time are kept for themselves.
func TestPartsOfASeed(t *testing.T) {
	dir := t.TempDir()
	all := []frames.Part{{Seed: 3, Split: "train"}, {Seed: 3, Split: "val"}}
	s, err := Open(dir, work("k", all), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), make([]byte, 7), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(Record{Seed: 3, Split: "val", Files: []File{{Path: "x", Bytes: 7}}}); err != nil {
		t.Fatal(err)
	}
	if got, _, err := s.Finished(context.Background()); err != nil || !reflect.DeepEqual(got, map[frames.Part]bool{all[1]: true}) {
		t.Errorf("finished %v, %v", got, err)
	}
}

// TestGoesOn: what one run has finished, the next one finds, in the order of the seeds.
func TestGoesOn(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "k")
	finish(t, s, 2, 10)
	finish(t, s, 5, 20)
	again := open(t, dir, "k")
	if got := finished(t, again); !reflect.DeepEqual(got, map[int]bool{2: true, 5: true}) {
		t.Errorf("finished %v, want 2 and 5", got)
	}
	records, missing, err := again.All(context.Background())
	if err != nil || missing != 1 || len(records) != 2 || records[0].Seed != 5 || records[1].Seed != 2 || string(records[1].Extra) != `{"n":2}` {
		t.Errorf("records %+v, %d missing, %v", records, missing, err)
	}
}

// TestUnfinished: a record without its data, or that is damaged, is none.
func TestUnfinished(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"data gone":    func(dir string) error { return os.Remove(filepath.Join(dir, "seed_0002.arrow")) },
		"data cut":     func(dir string) error { return os.Truncate(filepath.Join(dir, "seed_0002.arrow"), 9) },
		"record gone":  func(dir string) error { return os.Remove(filepath.Join(dir, Folder, "seed_0002.json")) },
		"record cut":   func(dir string) error { return os.Truncate(filepath.Join(dir, Folder, "seed_0002.json"), 20) },
		"record empty": func(dir string) error { return os.Truncate(filepath.Join(dir, Folder, "seed_0002.json"), 0) },
		"another's data": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, Folder, "seed_0002.json"), []byte(`{"key":"k","seed":2}`), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, "k")
			finish(t, s, 2, 10)
			finish(t, s, 9, 10)
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			if got := finished(t, open(t, dir, "k")); !reflect.DeepEqual(got, map[int]bool{9: true}) {
				t.Errorf("finished %v, want 9 alone", got)
			}
		})
	}
}

// TestReplaced: a file that was replaced by another of its size is not the seed's result. A
// copy of it is.
func TestReplaced(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "k")
	for _, seed := range []int{5, 2, 9} {
		finish(t, s, seed, 10)
	}
	other, copied := filepath.Join(dir, "seed_0002.arrow"), filepath.Join(dir, "seed_0009.arrow")
	for path, data := range map[string]string{other: "0123456789", copied: strings.Repeat("\x00", 10)} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, dir, "k")
	if got := finished(t, again); !reflect.DeepEqual(got, map[int]bool{5: true, 9: true}) {
		t.Errorf("finished %v, want 5 and 9", got)
	}
	if _, changed, err := again.Finished(context.Background()); err != nil || !reflect.DeepEqual(changed, []string{other}) {
		t.Errorf("changed %v, %v, want %s", changed, err, other)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := again.All(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was stopped: %v", err)
	}
}

// TestOtherKey: results of another spec are not mixed with, nor replaced unasked.
func TestOtherKey(t *testing.T) {
	dir := t.TempDir()
	finish(t, open(t, dir, "k"), 2, 10)
	if _, err := Open(dir, work("other", seeds(2)), false, nil); !errors.Is(err, ErrOther) {
		t.Errorf("another key: %v, want ErrOther", err)
	}
	s, err := Open(dir, work("other", seeds(2)), true, func(int) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	if there, err := os.ReadFile(filepath.Join(dir, "seed_0002.arrow")); len(there) != 10 || err != nil || s.Clears() != 10 {
		t.Errorf("before Clear: %d bytes are there, %v, and %d would be free, want 10", len(there), err, s.Clears())
	}
	if err := s.Clear(); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.arrow")); len(left) != 0 || err != nil {
		t.Errorf("after starting over, %v is left of the other key, %v", left, err)
	}
	finish(t, s, 2, 10)
	// nothing is there: the key is taken over
	if err := os.Remove(filepath.Join(dir, "seed_0002.arrow")); err != nil {
		t.Fatal(err)
	}
	if got := finished(t, open(t, dir, "k")); len(got) != 0 {
		t.Errorf("finished %v, want none", got)
	}
}

// TestRestOfOtherKey: what its user left of another spec's results stays there.
func TestRestOfOtherKey(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"one of two gone": os.Remove,
		"one cut":         func(path string) error { return os.Truncate(path, 9) },
	} {
		dir := t.TempDir()
		s := open(t, dir, "k")
		r := Record{Seed: 2}
		for _, name := range []string{"x_hi", "x_lo"} {
			if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 10), 0o644); err != nil {
				t.Fatal(err)
			}
			r.Files = append(r.Files, File{Path: name, Bytes: 10})
		}
		if err := s.Commit(r); err != nil {
			t.Fatal(err)
		}
		if err := spoil(filepath.Join(dir, "x_lo")); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, work("other", seeds(2)), false, nil); !errors.Is(err, ErrOther) {
			t.Errorf("%s: %v, want ErrOther", name, err)
		}
		for _, path := range []string{"x_hi", Folder + "/seed_0002.json"} {
			if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestClearedByTwo: what a run that started over just before has made stays there.
func TestClearedByTwo(t *testing.T) {
	dir := t.TempDir()
	finish(t, open(t, dir, "old"), 2, 10)
	start := func() *Set {
		s, err := Open(dir, work("k", seeds(5, 2, 9)), true, func(int) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first, second := start(), start()
	if err := first.Clear(); err != nil {
		t.Fatal(err)
	}
	finish(t, first, 2, 20)
	if err := second.Clear(); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Set{first, second} {
		if got := finished(t, s); !reflect.DeepEqual(got, map[int]bool{2: true}) {
			t.Errorf("finished %v, want 2", got)
		}
	}
}

// TestBrackets: a folder named x[1] is not its neighbour x1.
func TestBrackets(t *testing.T) {
	dir := t.TempDir()
	brackets, neighbour := filepath.Join(dir, "x[1]"), filepath.Join(dir, "x1")
	finish(t, open(t, brackets, "other"), 2, 10)
	finish(t, open(t, neighbour, "k"), 2, 10)
	if _, err := Open(brackets, work("k", seeds(2)), false, nil); !errors.Is(err, ErrOther) {
		t.Errorf("another key: %v, want ErrOther", err)
	}
	if _, err := Open(brackets, work("k", seeds(2)), true, func(int) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if got := finished(t, open(t, neighbour, "k")); !reflect.DeepEqual(got, map[int]bool{2: true}) {
		t.Errorf("the neighbour has finished %v, want 2", got)
	}
}

// TestFresh: a share that starts over forgets its own seeds. It keeps the seeds of the
// other shares, which may have started over just before.
func TestFresh(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "k")
	for _, seed := range []int{5, 2, 9} {
		finish(t, s, seed, 10)
	}
	s, err := Open(dir, work("k", seeds(5, 2, 9)), true, func(i int) bool { return i == 1 })
	if err != nil {
		t.Fatal(err)
	}
	for _, clear := range []func() error{nil, s.Clear} {
		if clear == nil { // a run that ends here changes nothing
			if got := finished(t, open(t, dir, "k")); len(got) != 3 {
				t.Errorf("before Clear another run finds %v, want all", got)
			}
		} else if err := clear(); err != nil {
			t.Fatal(err)
		}
		if got := finished(t, s); !reflect.DeepEqual(got, map[int]bool{5: true, 9: true}) {
			t.Errorf("finished %v, want 5 and 9", got)
		}
	}
	finish(t, s, 2, 10)
	if got := finished(t, s); len(got) != 3 {
		t.Errorf("finished %v, want all", got)
	}
}

// TestForeignPath: a record cannot have files outside the folder removed.
func TestForeignPath(t *testing.T) {
	parent := t.TempDir()
	dir, precious := filepath.Join(parent, "out"), filepath.Join(parent, "precious")
	if err := os.WriteFile(precious, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir, "k").Commit(Record{Seed: 2, Files: []File{{Path: "../precious", Bytes: 1}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, work("other", seeds(2)), true, func(int) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

// TestShared: shares that commit at the same time lose nothing.
func TestShared(t *testing.T) {
	dir := t.TempDir()
	var all []frames.Part
	for i := range 60 {
		all = append(all, frames.Part{Seed: i})
	}
	var wait sync.WaitGroup
	for share := range 3 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			s, err := Open(dir, work("k", all), false, nil)
			if err != nil {
				t.Error(err)
				return
			}
			for seed := share; seed < len(all); seed += 3 {
				finish(t, s, seed, seed+1)
			}
		}()
	}
	wait.Wait()
	s, err := Open(dir, work("k", all), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := finished(t, s); len(got) != len(all) {
		t.Errorf("%d seeds finished, want %d", len(got), len(all))
	}
}
