package framecache

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// put makes a cache of that many bytes, last used that long ago.
func put(t *testing.T, root, key string, bytes int, ago time.Duration) {
	t.Helper()
	dir := filepath.Join(root, key)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	index, err := json.Marshal(Contents{Channels: []string{"a"}, H: 4, W: 8, Bytes: int64(bytes), Frames: make([]Entry, 3)})
	if err != nil {
		t.Fatal(err)
	}
	used := time.Now().Add(-ago)
	err = errors.Join(os.WriteFile(filepath.Join(dir, Frames), make([]byte, bytes), 0o644),
		os.WriteFile(filepath.Join(dir, Index), index, 0o644), os.Chtimes(filepath.Join(dir, Index), used, used))
	if err != nil {
		t.Fatal(err)
	}
}

// keys are what is in root, the least recently used first.
func keys(t *testing.T, root string) string {
	t.Helper()
	all, err := List(root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, info := range all {
		names = append(names, info.Key)
	}
	return strings.Join(names, " ")
}

func TestList(t *testing.T) {
	root := t.TempDir()
	put(t, root, "new", 1000, 0)
	put(t, root, "old", 2000, time.Hour)
	if err := os.MkdirAll(filepath.Join(root, "holiday pictures"), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, c, err := Use(filepath.Join(root, "new"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if len(c.Frames) != 3 || c.W != 8 {
		t.Errorf("contents %+v", c)
	}
	all, err := List(root)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	if old, used := all[0], all[1]; old.Key != "old" || old.InUse || !old.Whole || old.Frames != 3 || old.H != 4 || old.Bytes < 2000 || !used.InUse {
		t.Errorf("listed %+v", all)
	}
	if all, err := List(filepath.Join(root, "none")); len(all) != 0 || err != nil {
		t.Errorf("no folder: %v, %v", all, err)
	}
}

// TestRemove: not what is in use, by however many, nor what is no cache.
func TestRemove(t *testing.T) {
	root := t.TempDir()
	put(t, root, "a", 10, 0)
	var locks []*os.File
	for range 2 {
		lock, _, err := Use(filepath.Join(root, "a"))
		if err != nil {
			t.Fatal(err)
		}
		locks = append(locks, lock)
	}
	for _, lock := range locks {
		if err := Remove(root, "a"); !errors.Is(err, ErrInUse) {
			t.Errorf("in use: %v", err)
		}
		lock.Close()
	}
	if err := Remove(root, "a"); err != nil || keys(t, root) != "" {
		t.Errorf("unused: %v, left %q", err, keys(t, root))
	}
	for _, key := range []string{"a", "..", "", "../" + filepath.Base(root)} {
		if err := Remove(root, key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", key, err)
		}
	}
	if _, _, err := Use(filepath.Join(root, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("using what is gone: %v", err)
	}
}

// TestEvict: leftovers go first, then what was used longest ago, and never what is in use.
func TestEvict(t *testing.T) {
	root := t.TempDir()
	for i, key := range []string{"e", "d", "c", "b", "a"} {
		put(t, root, key, 10000, time.Duration(i+1)*time.Hour)
	}
	for _, name := range []string{"dead", "alive"} {
		if err := os.MkdirAll(filepath.Join(root, Making+name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writing, err := os.Create(filepath.Join(root, Making+"alive", Frames))
	if err != nil {
		t.Fatal(err)
	}
	defer writing.Close()
	Hold(writing)
	index, err := os.Stat(filepath.Join(root, "a", Index))
	if err != nil {
		t.Fatal(err)
	}
	lock, _, err := Use(filepath.Join(root, "a"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := os.Chtimes(filepath.Join(root, "a", Index), index.ModTime(), index.ModTime()); err != nil { // the oldest all the same
		t.Fatal(err)
	}
	removed, err := Evict(root, 35000)
	if err != nil {
		t.Fatal(err)
	}
	var gone []string
	for _, r := range removed {
		gone = append(gone, r.Key)
	}
	if got := strings.Join(gone, " "); got != Making+"dead b c" {
		t.Errorf("removed %s, want the leftover, b and c", got)
	}
	if got := keys(t, root); got != "a d e "+Making+"alive" {
		t.Errorf("left %s", got)
	}
}
