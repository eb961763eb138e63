package glob

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// tree makes empty files below a new folder.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestNoFolder: a file and a pipe, which opening would wait on for good, have nothing below them.
func TestNoFolder(t *testing.T) {
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "file")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, file, filepath.Join(dir, "nothing")} {
		if paths, err := In(path, "*"); len(paths) > 0 || err != nil {
			t.Errorf("%s: %v, %v", path, paths, err)
		}
	}
}

// TestOnlyHere: no other package matches patterns in folders.
func TestOnlyHere(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, e os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "glob/glob.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, call := range []string{"filepath.Glob(", "fs.Glob("} {
			if strings.Contains(string(source), call) {
				t.Errorf("%s calls %s...): call this package, which takes no folder's name for a pattern", path, call)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// check compares paths with names below root.
func check(t *testing.T, what, root string, got []string, err error, want string) {
	t.Helper()
	for i := range got {
		got[i] = strings.TrimPrefix(got[i], root+"/")
	}
	if err != nil || strings.Join(got, " ") != want {
		t.Errorf("%s: %q, %v, want %q", what, got, err, want)
	}
}

// TestExpand: what exists is itself, and only the rest of a path is a pattern.
func TestExpand(t *testing.T) {
	root := tree(t, "run[1]/x.npy", "run[1]/._x.npy", "run[1]/.hidden.npy", "run1/y.npy", "run1/z[0].npy", "run1/z0.npy", "a*/b.npy", "ab/c.npy", `q?\/d.npy`)
	for path, want := range map[string]string{
		"run[1]":       "run[1]",
		"run[1]/x.npy": "run[1]/x.npy",
		"run[1]/*.npy": "run[1]/x.npy",
		"run[1]/.*npy": "run[1]/._x.npy run[1]/.hidden.npy",
		"run[12]/*":    "run1/y.npy run1/z0.npy run1/z[0].npy",
		"run1/z[0].*":  "run1/z0.npy",
		"run1/z[0].np": "",
		"a*":           "a*",
		"a*/*":         "a*/b.npy",
		"a?/*":         "a*/b.npy ab/c.npy",
		`q?\/*.npy`:    `q?\/d.npy`,
		"none/x[1]":    "",
	} {
		got, err := Expand(filepath.Join(root, path))
		check(t, path, root, got, err, want)
	}
	if _, err := Expand(filepath.Join(root, "[")); err == nil {
		t.Error("[ is a pattern")
	}
}

// TestIn: the folder's name is no pattern, and Quote makes one of a name.
func TestIn(t *testing.T) {
	root := tree(t, "x[1]/.a.tmp-1", "x1/.a.tmp-2", "x[1]/b[2]*.tmp-1", "x[1]/b2*.tmp-2")
	got, err := In(filepath.Join(root, "x[1]"), ".a.tmp-*")
	check(t, "In", root, got, err, "x[1]/.a.tmp-1")
	got, err = In(filepath.Join(root, "x[1]"), Quote("b[2]*")+".tmp-*")
	check(t, "Quote", root, got, err, "x[1]/b[2]*.tmp-1")
	if got, err = In(filepath.Join(root, "none"), "*"); len(got) > 0 || err != nil {
		t.Errorf("a missing folder: %v, %v", got, err)
	}
}
