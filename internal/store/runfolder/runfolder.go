// Package runfolder guards the folder of a run: one run uses it at a time, no input is
// overwritten, and only what fmsr made there is replaced or removed.
//
//	DIR/.fmsr        what fmsr has made there: the kind of its runs, then a name a line
//	DIR/.fmsr.lock   while a run uses the folder: "pid 4711 on HOST"; the run holds a lock on it
//
// A run that is killed leaves the second file, but not the lock. Runs that share the work
// share the lock.
package runfolder

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/infile"
)

// The files in the folder.
const (
	Record = ".fmsr"
	Lock   = ".fmsr.lock"
)

// Folder is a run's folder in use.
type Folder struct {
	dir, kind string
	folder    *os.File // stays the folder of now, should another take its name
	lock      *os.File
	made      map[string]bool // the names in the record
	order     []string        // in the order of the record
}

// Use makes the folder and locks it, for runs of a kind. It returns an error if another run
// uses the folder, or if fmsr made something of another kind there.
func Use(dir, kind string, shared bool) (*Folder, error) {
	f := &Folder{dir: dir, kind: kind}
	err := os.MkdirAll(dir, 0o777)
	if err == nil {
		f.folder, err = os.Open(dir)
	}
	if err == nil {
		err = f.acquire(shared)
	}
	if err == nil {
		err = f.read()
	}
	if err != nil {
		f.release()
		return nil, fmt.Errorf("the run's folder %s: %w", dir, err)
	}
	return f, nil
}

// Look is Use for a program that writes nothing: it takes no lock, and the folder need not
// exist. Release is not for its Folder.
func Look(dir, kind string) (*Folder, error) {
	f := &Folder{dir: dir, kind: kind}
	if root, err := os.OpenRoot(dir); err == nil {
		holder, err := Holder(root)
		root.Close()
		if err == nil && holder != "" {
			err = fmt.Errorf("it is in use by %s: wait for its end, or give another folder by --out", holder)
		}
		if err != nil {
			return nil, fmt.Errorf("the run's folder %s: %w", dir, err)
		}
	}
	if err := f.read(); err != nil && !errors.Is(err, unix.ENOTDIR) {
		return nil, fmt.Errorf("the run's folder %s: %w", dir, err)
	}
	return f, nil
}

// Join is Use for a program that joins what runs of any kind have made there. The folder
// must exist. The runs may still use it.
func Join(dir string) (*Folder, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	return Use(dir, anyKind, true)
}

// anyKind is the kind of a program that makes nothing of its own.
const anyKind = ""

// read reads the record.
func (f *Folder) read() error {
	f.made, f.order = map[string]bool{}, nil
	var data []byte
	file, err := open(filepath.Join(f.dir, Record), os.O_RDONLY)
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(file, 1<<28))
		file.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return atomicfile.Cause(err)
	}
	for line := range strings.Lines(string(data)) {
		if kind, ok := strings.CutPrefix(line, kindLine); ok && f.kind != anyKind && strings.TrimSpace(kind) != f.kind {
			return fmt.Errorf("it holds the results of %s, which these would replace: give another --out", strings.TrimSpace(kind))
		}
		if name, err := strconv.Unquote(strings.TrimSuffix(line, "\n")); err == nil {
			f.add(name)
		}
	}
	return nil
}

// open opens the record or the lock. It refuses a link, behind which may be a file of the
// user's, and names what is no regular file.
func open(path string, flag int) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: move it away", filepath.Base(path))
	}
	file, err := infile.OpenFile(path, flag|unix.O_NOFOLLOW)
	return file, atomicfile.Cause(err)
}

const kindLine = "made by fmsr: "

func (f *Folder) add(name string) {
	if !f.made[name] {
		f.made[name] = true
		f.order = append(f.order, name)
	}
}

// Check returns an error if one of the names in the folder, which the run will write, is an
// input, or is there and was not made by fmsr. A run that resumes from the folder
// owns what is there.
func (f *Folder) Check(names, inputs []string, owned bool) error {
	for _, name := range names {
		path := filepath.Join(f.dir, name)
		for _, input := range inputs {
			if holds(path, input) {
				return fmt.Errorf("%s, which is read, would be overwritten by %s: give another folder by --out", input, name)
			}
		}
		if f.made[name] || owned {
			continue
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			// read again: a run that shares the work may have made it since
			if err := f.read(); err != nil {
				return err
			}
			if !f.made[name] {
				return fmt.Errorf("%s is there, and fmsr did not make it: give another folder by --out, or move it away", path)
			}
		}
	}
	return nil
}

// holds reports whether path is the file input or, as a folder, has it within, under any
// name that links give it.
func holds(path, input string) bool {
	path, input = resolved(path), resolved(input)
	if within, err := filepath.Rel(path, input); err == nil && filepath.IsLocal(within) {
		return true
	}
	a, errA := os.Stat(path)
	b, errB := os.Stat(input)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// resolved returns a path without links, also if its last parts do not exist yet.
func resolved(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(resolved(parent), filepath.Base(path))
	}
	return path
}

// Same reports whether two paths lead to the same file or folder, which need not exist.
func Same(a, b string) bool { return holds(a, b) && holds(b, a) }

// Add records names that the run is about to make in the folder.
func (f *Folder) Add(names ...string) error {
	var lines bytes.Buffer
	for _, name := range names {
		if !f.made[name] {
			fmt.Fprintf(&lines, "%q\n", name)
			f.add(name)
		}
	}
	path := filepath.Join(f.dir, Record)
	if info, err := os.Stat(path); err == nil && info.Size() > 0 && lines.Len() == 0 {
		return nil
	}
	if err := atomicfile.Unshare(path); err != nil {
		return err
	}
	// runs that share the work append too; the empty line ends one that a crash has cut
	file, err := open(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	_, err = fmt.Fprintf(file, "\n%s%s\n%s", kindLine, f.kind, lines.Bytes())
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, atomicfile.Cause(err))
	}
	return nil
}

// Has reports whether fmsr has made something of this name in the folder.
func (f *Folder) Has(name string) bool { return f.made[name] }

// Made returns the names that fmsr has made below a folder in the run's folder.
func (f *Folder) Made(below string) (names []string) {
	for _, name := range f.order {
		if strings.HasPrefix(name, below+"/") && filepath.IsLocal(name) {
			names = append(names, name)
		}
	}
	return names
}

// SetAside renames files: all get the ending .old or .old-2, .old-3, ..., the first that none
// of them has been set aside by.
func SetAside(paths ...string) error {
	suffix := ".old"
	for n := 2; slices.ContainsFunc(paths, func(path string) bool { _, err := os.Lstat(path + suffix); return err == nil }); n++ {
		suffix = fmt.Sprintf(".old-%d", n)
	}
	for _, path := range paths {
		if err := os.Rename(path, path+suffix); err != nil {
			return err
		}
	}
	return nil
}

// Release ends the use of the folder. It returns an error if the folder was removed or
// replaced meanwhile: then what the run wrote is lost.
func (f *Folder) Release() error {
	defer f.release()
	if !isAt(f.folder, f.dir) {
		return fmt.Errorf("the run's folder %s was removed or replaced while the run wrote to it", f.dir)
	}
	return nil
}
