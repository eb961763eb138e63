package dataset

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFindFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.npy", "a.npy", "notes.txt", "._a.npy", "b[1].npy", "d.npz"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string][]string{
		"": {"a.npy", "b.npy", "b[1].npy", "d.npz"}, "b.npy": {"b.npy"}, "b*y": {"b.npy", "b[1].npy"}, "notes.txt": {"notes.txt"}, // as its user says
		"b[1].npy": {"b[1].npy"}, "[ab].npy": {"a.npy", "b.npy"}, "._a.npy": {"._a.npy"}, "c.npy": nil, "[": nil,
	} {
		got, err := FindFiles(filepath.Join(dir, path), nil)
		for i := range got {
			got[i] = filepath.Base(got[i])
		}
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %v, %v, want %v", path, got, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%q: error %v does not name it", path, err)
		}
	}
}
