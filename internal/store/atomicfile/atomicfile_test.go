package atomicfile

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
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
	path, neighbour := filepath.Join(dir, "a*[1]"), filepath.Join(dir, ".ab1.fmsr.tmp-1")
	if err := os.WriteFile(neighbour, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f.File.Close() // as a killed process leaves it
	if !strings.HasPrefix(filepath.Base(f.Name()), ".a*[1].fmsr.tmp-") {
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
	left, other := filepath.Join(filepath.Dir(path), ".a.fmsr.tmp-1"), filepath.Join(filepath.Dir(path), ".b.fmsr.tmp-1")
	users := []string{".a.tmp-1", ".a.fmsr.tmp-notes", ".a.fmsr.tmp-", "a.fmsr.tmp-1", ".fmsr.tmp-1"}
	for i, name := range users {
		users[i] = filepath.Join(filepath.Dir(path), name)
	}
	for _, name := range append(users, left, other) {
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
	for _, name := range users {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("a user's file was taken away: %v", err)
		}
	}
}

// TestSweepers: sweeps never take a file away from the process that begins to write it.
func TestSweepers(t *testing.T) {
	dir := t.TempDir()
	var writers, sweepers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		sweepers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := SweepFolder(dir); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 4 {
		writers.Go(func() {
			for range 300 {
				f, err := Create(filepath.Join(dir, strconv.Itoa(i)))
				if err == nil {
					err = f.Commit()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	sweepers.Wait()
}

// TestUmask: files have the permissions that the umask leaves.
func TestUmask(t *testing.T) {
	dir := t.TempDir()
	for _, umask := range []int{0o077, 0o002, 0o022} {
		before := unix.Umask(umask)
		path := filepath.Join(dir, "a")
		err := WriteFile(path, nil)
		unix.Umask(before)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if want := os.FileMode(0o666 &^ umask); info.Mode() != want {
			t.Errorf("umask %03o: mode %v, want %v", umask, info.Mode(), want)
		}
	}
}

// TestLongNames: a name may have all of the 255 bytes that a file system allows.
func TestLongNames(t *testing.T) {
	dir := t.TempDir()
	for n := 230; n <= 255; n++ {
		path := filepath.Join(dir, strings.Repeat("ä", n/2)+strings.Repeat("a", n%2))
		f, err := Create(path)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		f.File.Close() // as a killed process leaves it
		if err := Sweep(path); err != nil {
			t.Fatal(err)
		}
		if left := names(t, dir); left != "" {
			t.Fatalf("%d bytes: left behind: %s", n, left)
		}
		if err := WriteFile(path, nil); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
