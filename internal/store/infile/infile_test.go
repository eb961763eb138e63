package infile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestNotRegular: what is not a file is refused by name, without waiting for a pipe's
// writer or for a device's end.
func TestNotRegular(t *testing.T) {
	dir := t.TempDir()
	pipe, zero := filepath.Join(dir, "pipe"), filepath.Join(dir, "zero")
	if err := unix.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", zero); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{pipe: "it is a pipe", zero: "it is a device", dir: "it is a folder", filepath.Join(dir, "none"): "no such file"} {
		done := make(chan error, 3)
		go func() {
			_, err := Open(path)
			done <- err
			_, err = ReadAll(path, 10)
			done <- err
			_, err = OpenFile(path, os.O_RDWR)
			done <- err
		}()
		for range cap(done) {
			select {
			case err := <-done:
				if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
					t.Errorf("%v: want the path and %q", err, want)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s: it hangs", path)
			}
		}
	}
}

func TestReadAllBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("12345"), 0o644); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadAll(path, 5); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := ReadAll(path, 4); err == nil || err.Error() != "read "+path+": more than 4 bytes" {
		t.Errorf("%v", err)
	}
}

// TestReadStream: a pipe is read to its end, and one without a writer does not wait for it.
func TestReadStream(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		time.Sleep(20 * time.Millisecond)
		_, _ = w.WriteString("text")
		w.Close()
	}()
	if data, err := ReadStream(fmt.Sprintf("/dev/fd/%d", r.Fd()), 10); err != nil || string(data) != "text" {
		t.Errorf("%q, %v", data, err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadStream(pipe, 10); err != nil || len(data) != 0 {
		t.Errorf("a pipe without a writer: %q, %v", data, err)
	}
	if _, err := ReadStream("/dev/zero", 10); err == nil || !strings.Contains(err.Error(), "it is a device") {
		t.Errorf("a device: %v", err)
	}
}

// TestStampKnowsReplacements: another file of the same size and time of modification has
// another stamp, whether it was renamed over the first or copied into it.
func TestStampKnowsReplacements(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	then := time.Unix(1.7e9, 0)
	for p, text := range map[string]string{path: "one", other: "two"} {
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p, then, then); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, replace func() error) {
		before, err := StampOf(path)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // a file system's clock ticks
		if err := replace(); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if f.Size != before.Size || f.Modified != before.Modified || f.Was(before) == nil {
			t.Errorf("%s: %+v is taken for %+v", what, f.Stamp, before)
		}
	}
	check("copied", func() error {
		if err := os.WriteFile(path, []byte("TWO"), 0o644); err != nil {
			return err
		}
		return os.Chtimes(path, then, then)
	})
	check("renamed", func() error { return os.Rename(other, path) })
}
