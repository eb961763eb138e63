package framecache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// named is a key that is as good as the name's letter is a hexadecimal digit.
func named(letter string) string { return strings.Repeat(letter, 24) }

// put makes a cache of that many bytes, last used that long ago.
func put(t *testing.T, root, key string, bytes int, ago time.Duration) {
	t.Helper()
	dir := filepath.Join(root, key)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := Contents{Format: Format, Channels: []string{"a"}, H: 1, W: 1, Bytes: int64(bytes)}
	for i := range 2 {
		c.Frames = append(c.Frames, Entry{Frame: i, Split: "train", Tensor: Tensor{Offset: int64(4 * i)}})
	}
	index, err := c.Encode()
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
	put(t, root, named("1"), 1000, 0)
	put(t, root, named("0"), 2000, time.Hour)
	if err := os.MkdirAll(filepath.Join(root, "holiday pictures"), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, c, err := Use(filepath.Join(root, named("1")))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if len(c.Frames) != 2 || c.W != 1 {
		t.Errorf("contents %+v", c)
	}
	all, err := List(root)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	if old, used := all[0], all[1]; old.Key != named("0") || old.InUse || !old.Whole || old.Frames != 2 || old.H != 1 || old.Bytes < 2000 || !used.InUse {
		t.Errorf("listed %+v", all)
	}
	if all, err := List(filepath.Join(root, "none")); len(all) != 0 || err != nil {
		t.Errorf("no folder: %v, %v", all, err)
	}
}

// TestRemove: not what is in use, by however many, nor what is no cache.
func TestRemove(t *testing.T) {
	root := t.TempDir()
	put(t, root, named("a"), 10, 0)
	var locks []*os.File
	for range 2 {
		lock, _, err := Use(filepath.Join(root, named("a")))
		if err != nil {
			t.Fatal(err)
		}
		locks = append(locks, lock)
	}
	for _, lock := range locks {
		if err := Remove(root, named("a")); !errors.Is(err, ErrInUse) {
			t.Errorf("in use: %v", err)
		}
		lock.Close()
	}
	if err := Remove(root, named("a")); err != nil || keys(t, root) != "" {
		t.Errorf("unused: %v, left %q", err, keys(t, root))
	}
	for _, key := range []string{named("a"), "..", "", "../" + filepath.Base(root)} {
		if err := Remove(root, key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", key, err)
		}
	}
	if _, _, err := Use(filepath.Join(root, named("a"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("using what is gone: %v", err)
	}
}

// TestEvict: leftovers go first, then what was used longest ago, and never what is in use.
func TestEvict(t *testing.T) {
	root := t.TempDir()
	for i, key := range []string{"e", "d", "c", "b", "a"} {
		put(t, root, named(key), 10000, time.Duration(i+1)*time.Hour)
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
	index, err := os.Stat(filepath.Join(root, named("a"), Index))
	if err != nil {
		t.Fatal(err)
	}
	lock, _, err := Use(filepath.Join(root, named("a")))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := os.Chtimes(filepath.Join(root, named("a"), Index), index.ModTime(), index.ModTime()); err != nil { // the oldest all the same
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
	if got := strings.Join(gone, " "); got != Making+"dead "+named("b")+" "+named("c") {
		t.Errorf("removed %s, want the leftover, b and c", got)
	}
	if got := keys(t, root); got != strings.Join([]string{named("a"), named("d"), named("e"), Making + "alive"}, " ") {
		t.Errorf("left %s", got)
	}
}

// TestOthersFolders: a folder beside the caches that is not one is not looked at,
// whatever it holds, and of a cache only its own files go.
func TestOthersFolders(t *testing.T) {
	root := t.TempDir()
	put(t, root, "my-website", 10, time.Hour)
	put(t, root, named("a"), 10, 0)
	thesis := filepath.Join(root, named("a"), "thesis.tex")
	if err := os.WriteFile(thesis, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, root); got != named("a") {
		t.Errorf("listed %s", got)
	}
	if err := Remove(root, "my-website"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is no cache: %v", err)
	}
	if err := Remove(root, named("a")); err == nil {
		t.Error("a cache with something else in it was removed whole")
	}
	if _, err := os.Stat(thesis); err != nil {
		t.Error(err)
	}
}
