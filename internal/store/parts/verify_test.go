package parts

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerify: records, their files and the summary's: no byte of any can change.
func TestVerify(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "k")
	for _, seed := range []int{5, 2} {
		name := filepath.Join(Folder, string(rune('a'+seed)))
		if err := os.WriteFile(filepath.Join(dir, name), []byte("some values"), 0o644); err != nil {
			t.Fatal(err)
		}
		n, sum, err := sumOf(filepath.Join(dir, name))
		if err := errors.Join(err, s.Commit(Record{Seed: seed, Files: []File{{Path: name, Rows: 3, Bytes: n, SHA256: sum}}})); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "table"), []byte("their mean"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Summarize(nil, "table"); err != nil {
		t.Fatal(err)
	}
	verified := map[File]bool{}
	if n, err := Verify(context.Background(), dir, verified); n.Parts != 2 || len(verified) != 3 || err != nil {
		t.Fatalf("%+v, %v, %v", n, verified, err)
	}
	for _, name := range []string{"table", Folder + "/" + Whole, Folder + "/" + workName, Folder + "/seed_0005.json", Folder + "/seed_0002.json", Folder + "/f", Folder + "/c"} {
		path := filepath.Join(dir, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			if err := os.WriteFile(path, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := Verify(context.Background(), dir, map[File]bool{}); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: byte %d flipped: %v", name, i, err)
			}
		}
		if err := os.WriteFile(path, good, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "table")); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(context.Background(), dir, verified); err != nil {
		t.Errorf("what was verified is read again: %v", err)
	}
	if _, err := Verify(context.Background(), dir, map[File]bool{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the summary is gone: %v", err)
	}
}
