// Package parts keeps the results of a run seed by seed, so that a stopped run can be
// resumed, and several runs can share the work in one folder:
//
//	DIR/seed_0000.arrow ...        the results: data files, each put there whole
//	DIR/.parts/seed_0000.json ...  a Record each, written once its files are in place;
//	                               seed_0000.train.json ... of a seed that is cut in time
//	DIR/.parts/work.json           the Work: all seeds, and what else the summary is made of
//	DIR/.parts/whole.json          a Record of the summary's files
//
// Results that are of files instead of seeds are in a folder of their sink's name below
// .parts.
//
// A seed is finished when its record is there under the run's key, and the files that the
// record names have not changed. Their stamps show that or, where a file has been copied or
// touched, its SHA-256. Records are small, and the summary of the whole (a
// manifest, a table of means) is made of them and the Work alone. The run that finds no
// record missing makes the summary, and so does fmsr merge. Both take the records in the
// order of the seeds, so that every run would make the same bytes.
package parts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/glob"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/store/seal"
)

// Folder is the folder of the records, in the folder of the results.
const Folder = ".parts"

// Record describes the result of a finished seed, or of a finished file.
type Record struct {
	Key     string          `json:"key"` // of everything that the result depends on
	Version string          `json:"version,omitempty"`
	Seed    int             `json:"seed"`
	Split   string          `json:"part,omitempty"` // of a part of a seed that is cut in time
	Of      string          `json:"of,omitempty"`   // the file
	Files   []File          `json:"files"`
	Stamps  []infile.Stamp  `json:"stamps"`          // of the files, when the record was written
	Extra   json.RawMessage `json:"extra,omitempty"` // further input of the summary
}

// Part returns what the result is of.
func (r Record) Part() frames.Part { return frames.Part{Seed: r.Seed, Split: r.Split} }

// File is a data file of a seed. Its Path starts at the folder of the results.
type File struct {
	Path   string `json:"path"`
	Rows   int    `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Set is the results of a Work in a folder. Several processes may have it open.
type Set struct {
	Work
	dir string

	old     map[string]Record     // by their paths: those that Clear removes
	summed  map[File]infile.Stamp // files whose SHA-256 was checked
	changed []string              // files that All found to be others than those written
}

// ErrOther is the error of a folder that holds results of another key.
var ErrOther = errors.New("it holds the results of another spec or of other data: give another --out, remove it, or start over with --resume never")

// Open prepares a folder for the results of a work. If they are of seeds, it returns ErrOther
// if the folder holds results of another key. With fresh these count as missing instead, and
// so do the items for which mine is true. Clear removes what counts as missing.
func Open(dir string, work Work, fresh bool, mine func(i int) bool) (*Set, error) {
	s := &Set{Work: work, dir: dir, summed: map[File]infile.Stamp{}, old: map[string]Record{}}
	if err := os.MkdirAll(s.folder(), 0o777); err != nil {
		return nil, err
	}
	for i, item := range work.Items {
		if fresh && mine(i) {
			s.old[s.path(item)] = Record{Key: item.Key} // its files stay until others take their place
		}
	}
	if !work.OfFiles {
		if err := s.findOthers(fresh); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Clears returns how many bytes Clear makes free.
func (s *Set) Clears() (bytes int64) {
	for _, r := range s.old {
		for _, f := range r.Files {
			if info, err := os.Lstat(filepath.Join(s.dir, f.Path)); err == nil {
				bytes += info.Size()
			}
		}
	}
	return bytes
}

// Clear removes the results that Open has found to be of no use, but for those that another
// run has replaced since.
func (s *Set) Clear() error {
	for path, r := range s.old {
		if now, err := read(path); err == nil && now.Key == s.Items[0].Key && now.Key != r.Key {
			continue
		}
		if err := s.remove(path, r); err != nil {
			return err
		}
	}
	clear(s.old)
	return nil
}

// findOthers returns ErrOther if there are results of another key or, with fresh, notes them
// for Clear.
func (s *Set) findOthers(fresh bool) error {
	there, err := glob.In(s.folder(), "seed_*.json")
	if err != nil {
		return err
	}
	for _, path := range there {
		r, err := read(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && r.Key == s.Items[0].Key: // removed by another run; or ours
		case err != nil && !errors.As(err, new(*damaged)):
			return err
		case err == nil && !fresh && s.left(r):
			return fmt.Errorf("%s: %w", s.dir, ErrOther)
		default:
			s.old[path] = r
		}
	}
	return nil
}

// Finished returns the parts whose results are whole, and the files that have changed since
// they were written. The parts of changed files are not finished.
func (s *Set) Finished(ctx context.Context) (finished map[frames.Part]bool, changed []string, err error) {
	records, _, err := s.All(ctx)
	if err != nil {
		return nil, nil, err
	}
	finished = map[frames.Part]bool{}
	for _, r := range records {
		finished[r.Part()] = true
	}
	return finished, s.changed, nil
}

// Commit records that the part r.Seed, r.Split is finished. Its files must be in their place,
// and durable.
func (s *Set) Commit(r Record) error {
	i := slices.IndexFunc(s.Items, func(item Item) bool { return item.Part() == r.Part() })
	item := s.Items[i]
	r.Key, r.Version = item.Key, s.Version
	for _, f := range r.Files {
		stamp, err := infile.StampOf(filepath.Join(s.dir, f.Path))
		if err != nil {
			return err
		}
		r.Stamps = append(r.Stamps, stamp)
	}
	if s.OfFiles { // another run's input may have it in another place
		r.Of, r.Seed = item.Name, 0
	}
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("%s: record: %w", item.Name, err)
	}
	return atomicfile.WriteFile(s.path(item), seal.Object(data))
}

// All returns the records of the finished parts, in the order of the work, and how many
// parts are missing.
func (s *Set) All(ctx context.Context) (records []Record, missing int, err error) {
	s.changed = nil
	for _, item := range s.Items {
		if ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		r, err := s.read(item)
		_, old := s.old[s.path(item)]
		switch {
		case old:
			missing++
		case err == nil && r.Key == item.Key && r.Part() == item.Part() && s.whole(r):
			records = append(records, r)
		case err == nil || errors.Is(err, fs.ErrNotExist) || errors.As(err, new(*damaged)):
			missing++
		default:
			return nil, 0, err
		}
	}
	return records, missing, nil
}

// read reads the record of an item.
func (s *Set) read(item Item) (Record, error) {
	r, err := read(s.path(item))
	if err == nil && s.OfFiles && r.Of == item.Name {
		r.Seed = item.Seed
	}
	return r, err
}

// folder returns the folder of the records.
func (s *Set) folder() string { return filepath.Join(s.dir, s.Under()) }

func (s *Set) path(item Item) string { return filepath.Join(s.folder(), s.Work.record(item)) }

// present reports whether a record's files are there, with their sizes.
func (s *Set) present(r Record) bool {
	for _, f := range r.Files {
		info, err := os.Stat(filepath.Join(s.dir, f.Path))
		if err != nil || info.Size() != f.Bytes {
			return false
		}
	}
	return len(r.Files) > 0
}

// left reports whether one of a record's files is there, whatever its size.
func (s *Set) left(r Record) bool {
	return slices.ContainsFunc(r.Files, func(f File) bool {
		_, err := os.Lstat(filepath.Join(s.dir, f.Path))
		return !errors.Is(err, fs.ErrNotExist)
	})
}

// whole reports whether a record's files have stayed as they were written. It notes the
// files that have changed.
func (s *Set) whole(r Record) bool {
	if !s.present(r) {
		return false
	}
	for i, f := range r.Files {
		path := filepath.Join(s.dir, f.Path)
		stamp, err := infile.StampOf(path)
		if err != nil {
			return false
		}
		if i < len(r.Stamps) && stamp == r.Stamps[i] || s.summed[f] == stamp { // else it was copied, touched or replaced
			continue
		}
		if _, sum, err := sumOf(path); err != nil || sum != f.SHA256 {
			s.changed = append(s.changed, path)
			return false
		}
		s.summed[f] = stamp
	}
	return true
}

// remove removes a record and then its files.
func (s *Set) remove(path string, r Record) error {
	paths := []string{path}
	for _, f := range r.Files {
		if filepath.IsLocal(f.Path) {
			paths = append(paths, filepath.Join(s.dir, f.Path))
		}
	}
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// largest is the number of bytes of a record that are read.
const largest = 1 << 28

// damaged is the error of a record that cannot be read.
type damaged struct{ error }

func read(path string) (r Record, err error) {
	data, err := infile.ReadAll(path, largest)
	if err != nil {
		return r, err
	}
	if err = seal.Check(data); err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return Record{}, &damaged{fmt.Errorf("%s: %w", path, err)}
	}
	return r, nil
}
