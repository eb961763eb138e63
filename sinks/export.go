package sinks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/frames"
	"fmsr/internal/parallel"
	"fmsr/internal/prep"
	"fmsr/internal/store/atomicfile"
	"fmsr/internal/store/parts"
	"fmsr/pipeline"
)

// Export writes frames as a data set: a file a seed, and manifest.json.
//
//	frames             -- seed 0: 1 - 2 - 3 -- seed 1: 1 - 2 - 3 --
//	                   [                  export                  ]
//	DIR/               ------- seed_0000.arrow ---- seed_0001.arrow, manifest.json
type Export struct {
	Format string `yaml:"format" oneof:"arrow|parquet|npy" flag:"format" doc:"of the files"`
}

func init() {
	pipeline.Register(pipeline.Declaration[Export]{
		Name: "export",
		Doc: `Writes frames as a data set into the run's folder: a file a seed, and manifest.json.

	frames             -- seed 0: 1 - 2 - 3 -- seed 1: 1 - 2 - 3 --
	                   [                  export                  ]
	DIR/               ------- seed_0000.arrow ---- seed_0001.arrow, manifest.json

A row is a frame: seed, frame, split and float32 tensors (C,H,W), x_hi and, below
pool_upsample, x_lo; npy has (N,C,H,W) arrays seed_0000.x_hi.npy and .x_lo.npy. Units
are physical unless normalize stands above. manifest.json lists the files with their
sizes and SHA-256, the channels, and the training split's mean and deviation.

A run that was stopped goes on with what is missing. With --shard I/N, or in a Slurm
job array, N runs share the seeds, in one folder: each leaves manifest.I-of-N.json,
and the last one manifest.json.`,
		Link:    pipeline.Link{Needs: pipeline.Planar, End: true},
		Default: Export{Format: "arrow"},
		New:     func(c *Export) pipeline.Stage { return &exporter{Export: *c} },
	})
}

var (
	_ pipeline.Fuser   = (*exporter)(nil)
	_ pipeline.Flusher = (*exporter)(nil)
	_ pipeline.Keeper  = (*exporter)(nil)
)

// exportGroup is how many bytes of frames are prepared and written at once: a
// record batch, or a Parquet row group, which is what reading one frame of a
// compressed file costs. Eight frames of 8 fields at 256 x 256, paired.
const exportGroup = 32 << 20

type exporter struct {
	Export
	env    *pipeline.Env
	in     pipeline.Meta
	seeds  map[int]pipeline.Seed
	plan   *prep.Plan
	set    *parts.Set
	paired bool

	group int // frames in one
	held  []*frames.Frames
	index []int // which frame of each
	file  *exportFile

	writing, ending background // a group on its way to the file; a whole file on its way to the disk
}

// exportFile is a seed being exported.
type exportFile struct {
	exportWriter
	seed   pipeline.Seed
	frames []int
	states []frames.Welford // of each channel
}

// exportExtra is kept of a seed beside its files.
type exportExtra struct {
	Split   string           `json:"split"`
	Frames  []int            `json:"frames"`
	Welford []frames.Welford `json:"welford"`
}

// Open checks that the frames will come seed by seed.
func (e *exporter) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	var err error
	if e.seeds, err = seedsOf(in); err != nil {
		return in, err
	}
	e.env, e.in, e.plan = env, in, &prep.Plan{}
	e.paired = in.Factor != 0
	e.group = min(max(1, exportGroup/e.frameBytes()), 256)
	return in, nil
}

// frameBytes is a frame's size in the export, without what is around it.
func (e *exporter) frameBytes() int {
	n := 4 * len(e.in.Channels) * e.in.H * e.in.W
	if e.paired {
		return 2 * n
	}
	return n
}

// Resume looks for the seeds that are there, and for room for the others.
func (e *exporter) Resume(_ context.Context, key string) (map[int]bool, error) {
	dir := e.env.Run.Dir
	var seeds []int
	for _, s := range e.in.Seeds {
		seeds = append(seeds, s.Seed)
	}
	set, err := parts.Open(dir, key, seeds, e.env.Fresh, e.env.Shard.Has)
	if err != nil {
		return nil, &pipeline.InputError{Err: err}
	}
	finished, err := set.Finished()
	if err != nil {
		return nil, err
	}
	e.set = set
	need, mine, done := int64(0), 0, 0
	for i, s := range e.in.Seeds {
		switch {
		case !e.env.Shard.Has(i):
		case finished[s.Seed]:
			mine++
			done++
		default:
			mine++
			need += int64(s.Frames) * int64(e.frameBytes()+1024)
		}
	}
	if err := atomicfile.Room(dir, need); err != nil {
		return nil, &pipeline.InputError{Err: err}
	}
	if done > 0 {
		e.env.Progress.Note("export: %d of %d seeds are there already", done, mine)
	}
	if len(finished) < len(seeds) { // it would speak of files that may not be there
		if err := removeManifest(dir); err != nil {
			return nil, err
		}
	}
	return finished, nil
}

// Fuse takes over the preprocessing above.
func (e *exporter) Fuse(above []pipeline.Stage) (n int) {
	e.plan, n = prep.Fold(above)
	return n
}

// Process gathers frames of a seed into groups, and writes them.
func (e *exporter) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	f := in.(*frames.Frames)
	for n := range f.N() {
		if err := e.take(f, n); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (e *exporter) take(f *frames.Frames, n int) error {
	origin := f.Origins[n]
	if e.file == nil {
		if err := e.begin(e.seeds[origin.Seed]); err != nil {
			return err
		}
	}
	if origin.Seed != e.file.seed.Seed {
		return fmt.Errorf("internal error: it comes before the end of seed %d", e.file.seed.Seed)
	}
	f.Retain()
	e.held, e.index = append(e.held, f), append(e.index, n)
	e.file.frames = append(e.file.frames, origin.Frame)
	last := len(e.file.frames) == e.file.seed.Frames
	if last || len(e.held) == e.group {
		if err := e.prepare(); err != nil {
			return err
		}
	}
	if last {
		return e.end()
	}
	return nil
}

// begin starts a seed's file.
func (e *exporter) begin(seed pipeline.Seed) error {
	w, err := newExportWriter(exportShape{
		dir: e.env.Run.Dir, format: e.Format, seed: seed, channels: e.in.Channels, h: e.in.H, w: e.in.W, paired: e.paired,
	})
	if err != nil {
		return err
	}
	e.file = &exportFile{exportWriter: w, seed: seed, states: make([]frames.Welford, len(e.in.Channels))}
	return nil
}

// prepare makes the frames held ready, in parallel, and has them written while
// the next ones are gathered.
func (e *exporter) prepare() error {
	defer e.drop()
	size := len(e.in.Channels) * e.in.H * e.in.W
	n := len(e.held)
	tensors := []*memory.Buffer{frames.NewBuffer(e.env.Mem, n*size)}
	if e.paired {
		tensors = append(tensors, frames.NewBuffer(e.env.Mem, n*size))
	}
	release := func() {
		for _, t := range tensors {
			t.Release()
		}
	}
	var origins []frames.Origin
	for i, f := range e.held {
		origins = append(origins, f.Origins[e.index[i]])
	}
	states := make([][]frames.Welford, n)
	err := parallel.Each(n, func(i int) error {
		hi, lo := frames.Floats(tensors[0])[i*size:][:size], []float32(nil)
		if e.paired {
			lo = frames.Floats(tensors[1])[i*size:][:size]
		}
		if err := e.plan.Pair(e.held[i], e.index[i], hi, lo); err != nil {
			return frames.At(origins[i], err)
		}
		if e.in.Stats == nil && origins[i].Split == frames.Train {
			states[i] = moments(hi, len(e.in.Channels))
		}
		return nil
	})
	if err != nil {
		release()
		return err
	}
	for _, state := range states {
		for c := range state {
			e.file.states[c].Merge(state[c])
		}
	}
	w := e.file.exportWriter
	err = e.writing.start(func() error {
		defer release()
		return w.Write(origins, tensors)
	})
	if err != nil {
		release()
	}
	return err
}

// moments are the states of a frame's channels.
func moments(hi []float32, channels int) []frames.Welford {
	states := make([]frames.Welford, channels)
	cells := len(hi) / channels
	for c := range states {
		states[c].Add(hi[c*cells:][:cells])
	}
	return states
}

// end finishes the seed's file and records it: the disk works on it while the
// next seed is written.
func (e *exporter) end() error {
	err := errors.Join(e.writing.wait(), e.ending.wait())
	if err != nil {
		return err
	}
	f := e.file
	e.file = nil
	return e.ending.start(func() error {
		defer f.Close()
		files, err := f.Commit()
		if err != nil {
			return err
		}
		extra, err := json.Marshal(exportExtra{Split: f.seed.Split.String(), Frames: f.frames, Welford: f.states})
		if err != nil {
			return err
		}
		return e.set.Commit(parts.Record{Seed: f.seed.Seed, Files: files, Extra: extra})
	})
}

// Flush writes the manifest, of the whole if this run found the last seed.
func (e *exporter) Flush(context.Context) ([]pipeline.Element, error) {
	if err := e.ending.wait(); err != nil {
		return nil, err
	}
	if e.file != nil {
		return nil, fmt.Errorf("seed %d ended after %d frames, want %d", e.file.seed.Seed, len(e.file.frames), e.file.seed.Frames)
	}
	if e.set == nil {
		return nil, errors.New("internal error: it was not asked what is there already")
	}
	return nil, e.writeManifests()
}

// drop releases what is held.
func (e *exporter) drop() {
	for _, f := range e.held {
		f.Release()
	}
	e.held, e.index = e.held[:0], e.index[:0]
}

// Close removes what an interrupted run has left half-written.
func (e *exporter) Close() error {
	e.drop()
	_ = errors.Join(e.writing.wait(), e.ending.wait()) // the run has failed already, or was stopped
	if e.file != nil {
		e.file.Close()
	}
	return nil
}

// writeManifests leaves the shard's and, once every seed is there, the whole's.
func (e *exporter) writeManifests() error {
	records, missing, err := e.set.All()
	if err != nil {
		return err
	}
	dir := e.env.Run.Dir
	if e.env.Shard.N > 1 {
		var mine []parts.Record
		for i, s := range e.in.Seeds {
			at := slices.IndexFunc(records, func(r parts.Record) bool { return r.Seed == s.Seed })
			if e.env.Shard.Has(i) && at >= 0 {
				mine = append(mine, records[at])
			}
		}
		name := fmt.Sprintf("manifest.%d-of-%d.json", e.env.Shard.I, e.env.Shard.N)
		if err := e.writeManifest(filepath.Join(dir, name), mine); err != nil {
			return err
		}
	}
	if missing > 0 {
		e.env.Progress.Note("export    %s: %d of %d seeds, %d are missing still", dir, len(records), len(e.in.Seeds), missing)
		return nil
	}
	return e.writeManifest(filepath.Join(dir, manifestName), records)
}
