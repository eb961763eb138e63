package sinks

import (
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

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/pipeline"
)

// kept is the results that a sink keeps of each seed, or of each input file. Runs that
// share the work have them in one folder.
type kept struct {
	name string // the stage's
	env  *pipeline.Env
	in   pipeline.Meta
	set  *parts.Set

	forgot bool
}

// room is the approximate size of a frame on disk: in its seed's files, which this run
// writes if they are missing, and in the summary of all seeds.
type room struct{ seed, summary int64 }

// resume returns the finished parts. It returns an error if the disk has no room for
// the others. If a part is missing, it removes the old summary. About is what the summary is
// made of, besides the records.
func (k *kept) resume(ctx context.Context, key string, about any, frame room, summary ...string) (map[frames.Part]bool, error) {
	work, err := k.work(key, about)
	if err != nil {
		return nil, err
	}
	dir := k.env.Run.Dir
	if k.set, err = parts.Open(dir, work, k.env.Fresh, k.env.Shard.Has); err != nil {
		return nil, &pipeline.InputError{Err: err}
	}
	finished, changed, err := k.set.Finished(ctx)
	if err != nil {
		return nil, err
	}
	for _, path := range changed {
		k.env.Progress.Note("%s: %s is damaged, or another file than the run wrote: it will be made again", k.name, path)
	}
	need := int64(0)
	for i, s := range k.in.Seeds {
		need += int64(s.Frames) * frame.summary
		if k.env.Shard.Has(i) && !finished[s.Part()] {
			need += int64(s.Frames) * frame.seed
		}
	}
	if err := atomicfile.Room(dir, need-k.set.Clears()); err != nil {
		return nil, &pipeline.InputError{Err: err}
	}
	if err := k.set.Clear(); err != nil {
		return nil, err
	}
	if len(finished) < len(work.Items) {
		for _, name := range append(summary, filepath.Join(work.Under(), parts.Whole)) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	return finished, nil
}

// Start says what the results are of, for the other runs and for fmsr merge.
func (k *kept) Start() error {
	if k.set == nil { // nothing is kept
		return nil
	}
	return k.set.Begin()
}

// forget removes what an earlier run has left of this sink, once: the folder's samples are
// about to be replaced by others, which are not compared.
func (k *kept) forget() error {
	if k.forgot {
		return nil
	}
	k.forgot = true
	return parts.Forget(k.env.Run.Dir, k.name)
}

// noteFinished notes how many parts of this run's share are finished already.
func (k *kept) noteFinished(finished map[frames.Part]bool) {
	mine, done := 0, 0
	for i, s := range k.in.Seeds {
		if k.env.Shard.Has(i) {
			mine++
			if finished[s.Part()] {
				done++
			}
		}
	}
	if done > 0 {
		k.env.Progress.Note("%s: %d of %d %s are finished already", k.name, done, mine, k.units())
	}
	if mine == 0 {
		advice := ""
		if k.in.Files != nil {
			advice = ": cut them into files of fewer frames for more shards"
		}
		k.env.Progress.Note("%s: shard %s has nothing to do: there are %d %s, and each is made by one shard%s", k.name, k.env.Shard, len(k.in.Seeds), k.units(), advice)
	}
}

// work returns the work that the results are of.
func (k *kept) work(key string, about any) (parts.Work, error) {
	w := parts.Work{Sink: k.name, OfFiles: k.in.Files != nil, Version: k.env.Version, Shards: k.env.Shard.N}
	for _, s := range k.in.Seeds {
		item := parts.Item{Seed: s.Seed, Split: s.Part().Split, Name: fmt.Sprintf("seed %d", s.Seed), Key: key, Frames: s.Frames}
		if s.Cut {
			item.Name += ", " + s.Split.String()
		}
		if w.OfFiles {
			file := k.in.Files[s.Seed]
			sum := sha256.Sum256([]byte(key + file.Identity))
			item.Name, item.Key = filepath.Base(file.Path), hex.EncodeToString(sum[:12])
		}
		w.Items = append(w.Items, item)
	}
	var err error
	w.About, err = json.Marshal(about)
	return w, err
}

// part returns the seed, or the part of one, of that name.
func (k *kept) part(p frames.Part) pipeline.Seed {
	i := slices.IndexFunc(k.in.Seeds, func(s pipeline.Seed) bool { return s.Part() == p })
	return k.in.Seeds[i]
}

// cut reports whether seeds are cut into parts. Then every seed is.
func (k *kept) cut() bool { return k.in.Seeds[0].Cut }

// units names what results are kept of, for messages.
func (k *kept) units() string {
	switch {
	case k.in.Files != nil:
		return "files"
	case k.cut():
		return "parts of simulations"
	default:
		return "simulations"
	}
}

// results returns the records of the finished parts, in their order, and how many parts are
// missing.
func (k *kept) results(ctx context.Context) (records []parts.Record, missing int, err error) {
	if k.set == nil {
		return nil, 0, errors.New("internal error: results before Resume")
	}
	return k.set.All(ctx)
}

// noteMissing notes how many parts other runs have yet to finish.
func (k *kept) noteMissing(done, missing int) {
	k.env.Progress.Note("%-9s %s: %d of %d %s, %d are still missing", k.name, k.env.Run.Dir, done, len(k.in.Seeds), k.units(), missing)
}

// whole returns these records, for this run to make the summary of.
func (k *kept) whole(records []parts.Record) *whole {
	return &whole{dir: k.env.Run.Dir, set: k.set, records: records, out: k.env.Out, note: k.env.Progress.Note}
}
