package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, e := range entries {
		s = append(s, e.Name())
	}
	return strings.Join(s, " ")
}

func TestCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	if err := WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(path); string(data) != "old" {
		t.Errorf("before Commit the file holds %q", data)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if data, _ := os.ReadFile(path); string(data) != "new" || names(t, dir) != "a.txt" {
		t.Errorf("after Commit: %q in %q", data, names(t, dir))
	}
}

func TestAbandoned(t *testing.T) {
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "a.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if left := names(t, dir); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "a.txt")
	if err := WriteFile(path, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want the path", err)
	}
}

// TestNamesAreNoPatterns: a name with * ? [ ] gets its own file, and only what was left of
// that file is swept.
func TestNamesAreNoPatterns(t *testing.T) {
	dir := t.TempDir()
	path, neighbour := filepath.Join(dir, "a*[1]"), filepath.Join(dir, ".ab1.tmp-1")
	if err := os.WriteFile(neighbour, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f.File.Close() // as a killed process leaves it
	if !strings.HasPrefix(filepath.Base(f.Name()), ".a*[1].tmp-") {
		t.Errorf("the file is %s while it is written", f.Name())
	}
	if err := Sweep(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.Name()); err == nil {
		t.Error("what a dead process left is still there")
	}
	if _, err := os.Stat(neighbour); err != nil {
		t.Error("another file's was taken away")
	}
}

// TestSweep: leftovers go, files being written stay.
func TestSweep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	left, other := filepath.Join(filepath.Dir(path), ".a.tmp-1"), filepath.Join(filepath.Dir(path), ".b.tmp-1")
	for _, name := range []string{left, other} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Sweep(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("what a dead process left is still there")
	}
	if _, err := os.Stat(other); err != nil {
		t.Error("another file's was taken away")
	}
	if err := SweepTree(filepath.Dir(filepath.Dir(path))); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("what a dead process left in the tree is still there")
	}
	if err := f.Commit(); err != nil {
		t.Errorf("the file that was being written: %v", err)
	}
}
