package parts

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestOutput: a file is there once it is committed, with the entry that Verify wants,
// however large the pieces are that it is written in.
func TestOutput(t *testing.T) {
	dir := t.TempDir()
	set := &Set{dir: dir}
	for _, name := range []string{"small", "large"} {
		piece := bytes.Repeat([]byte(name), 10)
		if name == "large" {
			piece = bytes.Repeat(piece, large/10)
		}
		out, err := set.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if n, err := out.Write(piece); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Error("it is there before it is committed")
		}
		if err := out.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		entry := out.Entry(7)
		if entry.Path != name || entry.Rows != 7 || entry.Bytes != int64(3*len(piece)) {
			t.Errorf("%+v", entry)
		}
		if err := entry.Verify(context.Background(), dir, map[File]bool{}); err != nil {
			t.Error(err)
		}
	}
	out, err := set.Create("none")
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("%d files left, %v", len(left), err)
	}
}
