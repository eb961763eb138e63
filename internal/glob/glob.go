// Package glob finds files by patterns. It never takes a user's file or folder name for
// a pattern:
//
//	In(dir, pattern)   the pattern is below dir, whose name is taken as it is
//	Expand(path)       a path that exists is itself, also if its name has [ ] * or ?
//	Quote(name)        a pattern of that name only
//
// In a pattern * and ? stand for any text within a name, and [a-z] for a character, as in
// path.Match. As in a shell, they do not stand for a dot at a name's start. So ._x.npy,
// which macOS leaves beside x.npy, is not found by *.npy.
package glob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// In returns the paths below dir that match a pattern, sorted. There are none if dir does
// not exist or is no folder, such as a pipe, which is not opened. Folders below it that cannot be read are skipped.
func In(dir, pattern string) ([]string, error) {
	folder, err := os.OpenFile(dir, syscall.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	folder.Close()
	names, err := fs.Glob(os.DirFS(dir), pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern %s: %w", pattern, err)
	}
	var paths []string
	for _, name := range names {
		if !hidden(name, pattern) {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths, nil
}

// hidden reports whether a name of a path starts with a dot, and its pattern does not.
func hidden(path, pattern string) bool {
	patterns := strings.Split(pattern, "/")
	for i, name := range strings.Split(path, "/") {
		if strings.HasPrefix(name, ".") && !strings.HasPrefix(patterns[i], ".") {
			return true
		}
	}
	return false
}

// Expand returns the path itself if it exists. Otherwise it returns the paths that match
// it, sorted: what exists of its folders is taken as it is, and the rest is a pattern.
func Expand(path string) ([]string, error) {
	path = filepath.Clean(path)
	dir := path
	for !exists(dir) {
		dir = filepath.Dir(dir)
	}
	if dir == path {
		return []string{path}, nil
	}
	pattern, err := filepath.Rel(dir, path)
	if err != nil {
		return nil, err
	}
	return In(dir, pattern)
}

// exists reports whether something is there. "." and "/" always are.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil || path == filepath.Dir(path)
}

var quoter = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// Quote returns the pattern that matches a name only.
func Quote(name string) string { return quoter.Replace(name) }
