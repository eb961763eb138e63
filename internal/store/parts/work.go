package parts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/store/seal"
)

// Work is all that the results in a folder are of. Every run that shares the work writes
// the same one.
type Work struct {
	Sink    string          `json:"sink"`             // the stage that keeps the results
	OfFiles bool            `json:"of_files"`         // of input files, each under a key of its own; else of seeds
	Version string          `json:"version"`          // of fmsr
	Shards  int             `json:"shards,omitempty"` // the i-th item is shard i mod Shards + 1's; 0 or 1: one run's
	Items   []Item          `json:"items"`            // in the order of the summary
	About   json.RawMessage `json:"about,omitempty"`  // what the summary needs besides the records
}

// Item is what one record is of: a seed, a part of one, or a file.
type Item struct {
	Seed   int    `json:"seed"` // or the file's place in the input
	Split  string `json:"part,omitempty"`
	Name   string `json:"name"` // "seed 3", "x.npy"
	Key    string `json:"key"`
	Frames int    `json:"frames"`
}

// Part returns the name of the frames that the source sends.
func (i Item) Part() frames.Part { return frames.Part{Seed: i.Seed, Split: i.Split} }

// record returns the name of an item's record. A file's name may be too long for one.
func (w *Work) record(i Item) string {
	if !w.OfFiles {
		return i.Part().String() + ".json"
	}
	sum := sha256.Sum256([]byte(i.Name))
	return "file_" + hex.EncodeToString(sum[:8]) + ".json"
}

// Under returns the folder of the records, in the folder of the results.
func (w *Work) Under() string {
	if w.OfFiles {
		return filepath.Join(Folder, w.Sink)
	}
	return Folder
}

const workName = "work.json"

// Begin removes what killed processes have left among the records, and writes the work, if
// it is not there: results follow.
func (s *Set) Begin() error {
	if err := atomicfile.SweepTree(filepath.Join(s.dir, Folder)); err != nil {
		return err
	}
	data, err := json.Marshal(s.Work)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", workName, s.Sink, err)
	}
	path, sealed := filepath.Join(s.folder(), workName), seal.Object(data)
	if old, err := infile.ReadAll(path, largest); err == nil && bytes.Equal(old, sealed) {
		return nil
	}
	return atomicfile.WriteFile(path, sealed)
}

// Forget removes the work of a sink from a folder, and the summary's files that have stayed
// as the sink wrote them.
func Forget(dir, sink string) error {
	s := Set{dir: dir, Work: Work{OfFiles: true, Sink: sink}, summed: map[File]infile.Stamp{}}
	path := filepath.Join(s.folder(), Whole)
	summary, err := read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.As(err, new(*damaged)) {
		return err
	}
	summary.Files = slices.DeleteFunc(summary.Files, func(f File) bool { return !s.whole(Record{Files: []File{f}}) })
	if err := s.remove(filepath.Join(s.folder(), workName), summary); err != nil {
		return err
	}
	return s.remove(path, Record{})
}

// recordFolders returns the folders of records of a folder of results.
func recordFolders(dir string) (folders []string, err error) {
	top := filepath.Join(dir, Folder)
	entries, err := os.ReadDir(top)
	if err != nil {
		return nil, err
	}
	folders = append(folders, top)
	for _, e := range entries {
		if e.IsDir() {
			folders = append(folders, filepath.Join(top, e.Name()))
		}
	}
	return folders, nil
}

// Find returns the sets of results that runs have left in a folder.
func Find(dir string) (sets []*Set, err error) {
	folders, err := recordFolders(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		path := filepath.Join(folder, workName)
		data, err := infile.ReadAll(path, largest)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = seal.Check(data)
		}
		s := &Set{dir: dir, summed: map[File]infile.Stamp{}}
		if err == nil {
			err = json.Unmarshal(data, &s.Work)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		sets = append(sets, s)
	}
	return sets, nil
}

// Check returns the records of all parts. Its error names in one line the shards and parts
// that are missing, that are there twice, or that another spec, other data or another
// version of fmsr made.
func (s *Set) Check(ctx context.Context) ([]Record, error) {
	records, missing, err := s.All(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.checkStrangers(); err != nil {
		return nil, err
	}
	if missing > 0 {
		return nil, s.lacks(records)
	}
	owner := map[string]string{}
	for i, r := range records {
		if r.Version != records[0].Version {
			return nil, fmt.Errorf("%s: fmsr %s made %s, and fmsr %s made %s: run one of them again with --resume never", s.dir, records[0].Version, s.named(0), r.Version, s.named(i))
		}
		for _, f := range r.Files {
			if other, ok := owner[f.Path]; ok {
				return nil, fmt.Errorf("%s: %s is there twice, as the result of %s and of %s: run them again with --resume never", s.dir, f.Path, other, s.named(i))
			}
			owner[f.Path] = s.named(i)
		}
	}
	return records, nil
}

// named returns the i-th item's name, with its shard.
func (s *Set) named(i int) string {
	if s.Shards < 2 {
		return s.Items[i].Name
	}
	return fmt.Sprintf("%s (shard %d/%d)", s.Items[i].Name, i%s.Shards+1, s.Shards)
}

// checkStrangers returns an error if there is a record that the work has no place for, or
// one of another key.
func (s *Set) checkStrangers() error {
	entries, err := os.ReadDir(s.folder())
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if filepath.Ext(name) != ".json" || name == workName || name == Whole {
			continue
		}
		r, err := read(filepath.Join(s.folder(), name))
		if err != nil { // damaged: it is missing
			continue
		}
		at := slices.IndexFunc(s.Items, func(i Item) bool { return s.Work.record(i) == name })
		switch {
		case at < 0 && s.OfFiles: // an earlier run's, of another input
		case at < 0:
			return fmt.Errorf("%s: %s is there besides the simulations of the last run here: it is of another spec or of other data: give these runs a folder of their own", s.dir, strings.TrimSuffix(name, ".json"))
		case r.Of == "" && r.Part() != s.Items[at].Part():
			return fmt.Errorf("%s: %s is there twice, also in place of %s: run shard %d/%d again with --resume never", s.dir, r.Part(), s.named(at), at%max(1, s.Shards)+1, max(1, s.Shards))
		case r.Key != s.Items[at].Key && s.present(r):
			return fmt.Errorf("%s: %s was made by another spec or from other data than the last run here: run it again with the same spec", s.dir, s.named(at))
		}
	}
	return nil
}

// mostNamed is how many shards, or parts of one, are named in an error.
const mostNamed = 8

// lacks returns the error of missing parts, which names their shards.
func (s *Set) lacks(records []Record) error {
	n := max(1, s.Shards)
	missing, all := make([][]string, n), make([]int, n)
	for i, item := range s.Items {
		all[i%n]++
		if !slices.ContainsFunc(records, func(r Record) bool { return r.Part() == item.Part() }) {
			missing[i%n] = append(missing[i%n], item.Name)
		}
	}
	var texts []string
	for i, names := range missing {
		switch {
		case len(names) == 0:
		case n == 1:
			texts = append(texts, few(names)+" not finished")
		case len(names) == all[i]:
			texts = append(texts, fmt.Sprintf("shard %d/%d is missing (%s)", i+1, n, few(names)))
		default:
			texts = append(texts, fmt.Sprintf("shard %d/%d is not finished (%s)", i+1, n, few(names)))
		}
	}
	text := strings.Join(texts, "; ")
	if len(texts) > mostNamed {
		text = fmt.Sprintf("%s; and %d more shards", strings.Join(texts[:mostNamed], "; "), len(texts)-mostNamed)
	}
	if len(s.changed) > 0 {
		text += fmt.Sprintf("; %s is damaged, or another file than the run wrote", s.changed[0])
	}
	return fmt.Errorf("%s: %s: run what is missing, then merge", s.dir, text)
}

// few returns the names, or the first of many.
func few(names []string) string {
	if len(names) <= mostNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNamed], ", "), len(names)-mostNamed)
}
