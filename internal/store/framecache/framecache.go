// Package framecache manages the folder of arrow_cache: which caches it holds, which are
// in use, and how they are removed.
//
//	ROOT/KEY/frames.arrow    record batches, one frame each
//	ROOT/KEY/index.json      the position of each frame's values; its time is that of the last use
//	ROOT/.making-*/          a cache being written; it becomes KEY by rename
//
// A run holds a shared lock on index.json while it uses a cache, and an exclusive
// one on the frames.arrow that it writes. Remove takes an exclusive lock first, so that a
// cache in use, in this process or another, stays.
package framecache

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"fmsr.example/fmsr/internal/store/infile"
)

// The names of files, and of the folders of caches being made.
const (
	Frames = "frames.arrow"
	Index  = "index.json"
	Making = ".making-"
)

// ErrInUse is the error of a cache that another run uses.
var ErrInUse = errors.New("in use")

// Use takes a shared lock on a cache, which lasts until the file is closed, and sets
// its time of last use. It returns fs.ErrNotExist if there is no cache.
func Use(dir string) (lock *os.File, c Contents, err error) {
	if lock, c, err = open(dir); err != nil {
		return nil, c, err
	}
	now := time.Now()
	_ = os.Chtimes(lock.Name(), now, now) // a shared cache may be another user's
	return lock, c, nil
}

// open takes a shared lock on a cache and reads its index.
func open(dir string) (lock *os.File, c Contents, err error) {
	if lock, err = infile.OpenFile(filepath.Join(dir, Index), os.O_RDONLY); err != nil {
		return nil, c, err
	}
	if err := c.read(lock); err != nil {
		lock.Close()
		return nil, c, err
	}
	return lock, c, nil
}

// read locks an index, makes sure that it is still in its place, and reads it.
func (c *Contents) read(index *os.File) error {
	if err := lockFile(index, unix.LOCK_SH); err != nil {
		return err
	}
	there, err := os.Stat(index.Name())
	if err != nil {
		return err
	}
	if mine, err := index.Stat(); err != nil || !os.SameFile(mine, there) {
		return fs.ErrNotExist
	}
	return c.parse(index)
}

// lockFile locks a file or returns ErrInUse, without waiting. On a file system without
// locks it does nothing.
func lockFile(f *os.File, how int) error {
	err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrInUse
	}
	return nil
}

// Hold marks a file of a new cache as being written, until the file is closed.
func Hold(f *os.File) { _ = lockFile(f, unix.LOCK_EX) }

// Make makes the folder of a new cache in root. Its permissions follow the umask.
func Make(root string) (dir string, err error) {
	err = fs.ErrExist
	for try := 0; errors.Is(err, fs.ErrExist) && try < 1000; try++ {
		dir = filepath.Join(root, Making+strconv.FormatUint(uint64(rand.Uint32()), 10))
		err = os.Mkdir(dir, 0o777)
	}
	return dir, err
}

// Info describes a cache, a cache being made, or the leftovers of one.
type Info struct {
	Key    string // its folder
	Bytes  int64  // on disk
	Used   time.Time
	InUse  bool
	Whole  bool // false: it is being made, left by a killed process, or damaged
	Frames int
	H, W   int
	Fields []string
}

// List returns everything that root holds, the least recently used first.
func List(root string) ([]Info, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Info
	for _, e := range entries {
		if !e.IsDir() || !isCache(e.Name()) {
			continue
		}
		if info, ok := inspect(filepath.Join(root, e.Name())); ok {
			all = append(all, info)
		}
	}
	slices.SortFunc(all, func(a, b Info) int { return a.Used.Compare(b.Used) })
	return all, nil
}

// isCache reports whether a folder has the name of a cache, whole or being made. The
// folder of the caches is the user's, and may hold other folders.
func isCache(name string) bool { return strings.HasPrefix(name, Making) || cacheKey.MatchString(name) }

var cacheKey = regexp.MustCompile(`^[0-9a-f]{24}$`)

// inspect describes a folder, if it is one of a cache.
func inspect(dir string) (info Info, ok bool) {
	info.Key = filepath.Base(dir)
	making := strings.HasPrefix(info.Key, Making)
	if s, err := os.Stat(dir); err == nil {
		info.Used = s.ModTime()
	}
	for _, name := range []string{Frames, Index} {
		if s, err := os.Stat(filepath.Join(dir, name)); err == nil {
			info.Bytes += s.Size()
			info.Used = s.ModTime()
			ok = true
		}
	}
	locked := Index
	if making {
		locked, ok = Frames, true
	}
	f, err := infile.OpenFile(filepath.Join(dir, locked), os.O_RDONLY)
	if err != nil {
		return info, ok
	}
	defer f.Close()
	info.InUse = errors.Is(lockFile(f, unix.LOCK_EX), ErrInUse)
	var c Contents
	if !making && c.parse(f) == nil {
		info.Whole, info.Frames, info.H, info.W, info.Fields = true, len(c.Frames), c.H, c.W, c.Channels
	}
	return info, ok
}

// Remove removes a cache, or the leftovers of one. It returns ErrInUse if a run uses
// the cache, and fs.ErrNotExist if there is none.
func Remove(root, key string) error {
	dir := filepath.Join(root, key)
	if _, ok := inspect(dir); !ok || !isCache(key) {
		return fs.ErrNotExist
	}
	for _, name := range []string{Index, Frames} {
		f, err := infile.OpenFile(filepath.Join(dir, name), os.O_RDONLY)
		if err != nil {
			continue // half a cache
		}
		defer f.Close()
		if err := lockFile(f, unix.LOCK_EX); err != nil {
			return err
		}
	}
	for _, name := range []string{Index, Frames} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Remove(dir)
}

// Evict removes the leftovers of killed processes. Then, while the caches take more
// than limit bytes, it removes the least recently used one. Caches in use stay.
func Evict(root string, limit int64) (removed []Info, err error) {
	all, err := List(root)
	if err != nil {
		return nil, err
	}
	total := int64(0)
	for _, info := range all {
		total += info.Bytes
	}
	for _, leftovers := range []bool{true, false} {
		for _, info := range all {
			if info.InUse || info.Whole == leftovers || !leftovers && total <= limit {
				continue
			}
			switch err := Remove(root, info.Key); {
			case errors.Is(err, ErrInUse) || errors.Is(err, fs.ErrNotExist): // another run was faster
			case err != nil:
				return removed, err
			default:
				total -= info.Bytes
				removed = append(removed, info)
			}
		}
	}
	return removed, nil
}
