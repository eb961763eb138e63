package ui

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/runview"
)

// finder finds the runs in folders, and keeps them open.
type finder struct {
	roots   []*os.Root
	found   []*found
	notes   []string // of runs that cannot be read
	scanned time.Time
}

// found is a run with its name in addresses.
type found struct {
	id  string
	run *runview.Run
}

// rescan is the time between searches.
const rescan = 3 * time.Second

func newFinder(dirs []string) (*finder, error) {
	f := &finder{}
	for _, dir := range dirs {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		f.roots = append(f.roots, root)
	}
	return f, nil
}

func (f *finder) close() (err error) {
	for _, r := range f.found {
		err = errors.Join(err, r.run.Close())
	}
	for _, r := range f.roots {
		err = errors.Join(err, r.Close())
	}
	return err
}

// all returns the runs, read but for their logs, and what cannot be read.
func (f *finder) all() (runs []*found, notes []string) {
	if time.Since(f.scanned) > rescan {
		f.scan()
		f.scanned = time.Now()
	}
	notes = slices.Clone(f.notes)
	faults := make([]error, len(f.found))
	_ = parallel.Each(len(f.found), func(i int) error {
		_, faults[i] = f.found[i].run.Peek()
		return nil
	})
	for _, err := range faults {
		if err != nil {
			notes = append(notes, err.Error())
		}
	}
	return f.found, notes
}

// find returns the run of that ID; nil: there is none.
func (f *finder) find(id string) *found {
	for _, r := range f.found {
		if r.id == id {
			return r
		}
	}
	return nil
}

// scan looks for runs that are new, and drops those that are gone.
func (f *finder) scan() {
	before := map[string]*found{}
	for _, r := range f.found {
		before[r.id] = r
	}
	f.found, f.notes = nil, nil
	for i, root := range f.roots {
		dirs := runview.Find(root)
		now, faults := make([]*found, len(dirs)), make([]error, len(dirs))
		_ = parallel.Each(len(dirs), func(j int) error {
			id := f.id(i, dirs[j])
			if known := before[id]; known != nil && known.run.Is(root, dirs[j]) {
				now[j] = known
				return nil
			}
			run, err := runview.OpenIn(root, dirs[j])
			now[j], faults[j] = &found{id, run}, err
			return nil
		})
		for j, r := range now {
			if err := faults[j]; err != nil {
				f.notes = append(f.notes, err.Error())
				continue
			}
			if f.found = append(f.found, r); before[r.id] == r {
				delete(before, r.id)
			}
		}
	}
	for _, gone := range before {
		_ = gone.run.Close()
	}
}

// id returns a run's name in addresses: its folder below the root, of several roots with the
// root's own name and number in front.
func (f *finder) id(root int, dir string) string {
	base := filepath.Base(f.roots[root].Name())
	switch {
	case len(f.roots) > 1:
		return path.Join(fmt.Sprintf("%d.%s", root, base), dir)
	case dir == ".":
		return base
	}
	return dir
}

// newest returns the run whose log was written to last.
func newest(runs []*found) *found {
	return slices.MaxFunc(runs, func(a, b *found) int {
		return cmp.Compare(a.run.State.Updated.UnixNano(), b.run.State.Updated.UnixNano())
	})
}

// stamp returns a text that differs once a run has gone on.
func (f *finder) stamp() string {
	runs, notes := f.all()
	h := fnv.New64a()
	for _, r := range runs {
		fmt.Fprintln(h, r.id, r.run.State, r.run.State.Updated.UnixNano(), r.run.Steps)
	}
	fmt.Fprintln(h, notes)
	return fmt.Sprintf("%x", h.Sum64())
}
