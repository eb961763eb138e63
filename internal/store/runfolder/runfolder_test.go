package runfolder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func use(t *testing.T, dir, kind string, shared bool) *Folder {
	t.Helper()
	f, err := Use(dir, kind, shared)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func wants(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

func write(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLock: one run, or several that share the work, use a folder.
func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "run")
	f := use(t, dir, "train", false)
	_, err := Use(dir, "train", false)
	wants(t, "a second run", err, "it is in use by pid ")
	if err := f.Release(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, Lock)) // as a killed run leaves it
	f = use(t, dir, "train", false)
	if err := f.Release(); err != nil {
		t.Fatal(err)
	}
	a, b := use(t, dir, "export", true), use(t, dir, "export", true)
	_, err = Use(dir, "export", false)
	wants(t, "a run beside those that share the work", err, "it is in use by pid ")
	for _, f := range []*Folder{a, b} {
		if err := f.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestRemoved: a folder that is removed, also if it is made again, has lost what was written.
func TestRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	for _, again := range []bool{false, true} {
		f := use(t, dir, "train", false)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if again {
			if err := os.MkdirAll(dir, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		wants(t, "removed", f.Release(), "was removed or replaced while the run wrote to it")
	}
}

// TestCheck: inputs, and what fmsr did not make, are not replaced.
func TestCheck(t *testing.T) {
	top := t.TempDir()
	dir, data := filepath.Join(top, "run"), filepath.Join(top, "data")
	input := write(t, filepath.Join(data, "x.npy"))
	write(t, filepath.Join(dir, "notes"))
	write(t, filepath.Join(dir, "images", "mine.png"))
	for link, to := range map[string]string{"link.npy": input, "soft": data} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(input, filepath.Join(dir, "hard.npy")); err != nil {
		t.Fatal(err)
	}
	f := use(t, dir, "train", false)
	for name, want := range map[string]string{
		"new": "", "new/deep": "", "notes": "fmsr did not make it", "images": "fmsr did not make it",
		"link.npy": "which is read, would be overwritten by", "hard.npy": "which is read, would be overwritten by", "soft": "which is read, would be overwritten by", "soft/x.npy": "which is read, would be overwritten by",
		"soft/y.npy": "", "../data": "which is read, would be overwritten by",
	} {
		err := f.Check([]string{name}, []string{input}, false)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if err := f.Check([]string{"notes"}, nil, true); err != nil {
		t.Errorf("a resumed run's own file: %v", err)
	}
	wants(t, "a resumed run's input", f.Check([]string{"hard.npy"}, []string{input}, true), "which is read, would be overwritten by")
	if err := f.Add("notes", "wandb/a", "odd\nname"); err != nil {
		t.Fatal(err)
	}
	if err := f.Release(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "odd\nname"))
	f = use(t, dir, "train", false)
	if err := f.Check([]string{"notes", "odd\nname"}, nil, false); err != nil {
		t.Errorf("what fmsr made: %v", err)
	}
	if made := f.Made("wandb"); len(made) != 1 || made[0] != "wandb/a" {
		t.Errorf("made below wandb: %v", made)
	}
	if err := f.Release(); err != nil {
		t.Fatal(err)
	}
	_, err := Use(dir, "export", true)
	wants(t, "another kind", err, "it holds the results of train")
}

// TestCutRecord: a line that a crash has cut is no name, and does not spoil the next.
func TestCutRecord(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, Record), []byte("made by fmsr: train\n\"a\"\n\"no"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "no"} {
		write(t, filepath.Join(dir, name))
	}
	f := use(t, dir, "train", false)
	if err := f.Add("b"); err != nil {
		t.Fatal(err)
	}
	if err := f.Release(); err != nil {
		t.Fatal(err)
	}
	f = use(t, dir, "train", false)
	if err := f.Check([]string{"a", "b"}, nil, false); err != nil {
		t.Error(err)
	}
	wants(t, "no", f.Check([]string{"no"}, nil, false), "fmsr did not make it")
	if err := f.Release(); err != nil {
		t.Fatal(err)
	}
}

// TestLinks: the record and the lock may be other names of a file of the user's, which is
// neither emptied nor appended to.
func TestLinks(t *testing.T) {
	for _, name := range []string{Record, Lock} {
		for _, link := range []func(string, string) error{os.Symlink, os.Link} {
			top := t.TempDir()
			mine, dir := write(t, filepath.Join(top, "mine")), filepath.Join(top, "run")
			if err := os.Mkdir(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := link(mine, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			f, err := Use(dir, "train", false)
			if info, _ := os.Lstat(filepath.Join(dir, name)); err != nil && !info.Mode().IsRegular() {
				wants(t, "a link", err, name+" is not a regular file: move it away")
			} else if err != nil {
				t.Error(err)
			} else if err := f.Add("spec.yaml"); err != nil {
				t.Error(err)
			} else if err := f.Release(); err != nil {
				t.Error(err)
			}
			if left, err := os.ReadFile(mine); err != nil || string(left) != "x" {
				t.Errorf("%s: the file behind it became %q, %v", name, left, err)
			}
		}
	}
}

// TestPipes: a pipe in place of the record or the lock is refused, and not waited for.
func TestPipes(t *testing.T) {
	for _, name := range []string{Record, Lock} {
		dir := t.TempDir()
		if err := unix.Mkfifo(filepath.Join(dir, name), 0o666); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1) // a run that waits for the pipe's writer never ends
		go func() {
			_, err := Use(dir, "train", false)
			done <- err
		}()
		select {
		case err := <-done:
			wants(t, "a pipe", err, name+" is not a regular file: move it away")
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: it waits for the pipe", name)
		}
	}
}
