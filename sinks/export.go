package sinks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/dataset/exportset"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/field/plan"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/pipeline"
)

// Export writes frames as a data set: a file a seed, and manifest.json.
//
//	frames             -- seed 0: 1 - 2 - 3 -- seed 1: 1 - 2 - 3 --
//	                   [                  export                  ]
//	DIR/               ------- seed_0000.arrow ---- seed_0001.arrow, manifest.json
type Export struct {
	Format string `yaml:"format" oneof:"arrow|parquet|npy|well" flag:"format" doc:"format of the files; well: HDF5 in the layout of The Well"`
}

func init() {
	pipeline.Register(pipeline.Declaration[Export]{
		Name: "export",
		Doc: `Writes frames as a data set into the run's folder: a file a seed, and manifest.json.

	frames             -- seed 0: 1 - 2 - 3 -- seed 1: 1 - 2 - 3 --
	                   [                  export                  ]
	DIR/               ------- seed_0000.arrow ---- seed_0001.arrow, manifest.json

A row is a frame: seed, frame, split, and float32 tensors (C,H,W), x_hi and, below
pool_upsample, x_lo. With npy the tensors are arrays (N,C,H,W), seed_0000.x_hi.npy and
seed_0000.x_lo.npy. With well they are HDF5 files that the_well.data.WellDataset opens,
data/train/seed_0000.hdf5 (and valid, test): a seed is a trajectory and each channel a
scalar field; those of x_lo end in _lo. dimensions/time has the frames' times, or their
numbers where the source has no times. Values are in physical units unless normalize is above.
manifest.json lists the files with their sizes, SHA-256 and frames, the channels, and
the training split's mean and deviation. Of Arrow files it has the checksum of each
tensor too, which arrow_load checks. seed is int64, frame int32. A seed that npy_load
cuts in time has a file for each split, seed_0000.train.arrow.

A stopped run resumes with the missing seeds. With --shard I/N, or in a Slurm job
array, N runs share the seeds in one folder: each writes manifest.I-of-N.json, and the
last one also manifest.json, as fmsr merge does.`,
		Link:    pipeline.Link{Needs: pipeline.Planar, End: true, Once: true},
		Default: Export{Format: "arrow"},
		New:     func(c *Export) pipeline.Stage { return &exporter{Export: *c} },
	})
}

var (
	_ pipeline.Fuser   = (*exporter)(nil)
	_ pipeline.Flusher = (*exporter)(nil)
	_ pipeline.Keeper  = (*exporter)(nil)
	_ pipeline.Starter = (*exporter)(nil)
	_ pipeline.Writer  = (*exporter)(nil)
)

// exportGroup is the number of bytes of frames that are prepared and written at once: a
// record batch or a Parquet row group. A reader of one compressed frame has to
// decompress its whole group. It is eight frames of 8 fields at 256 x 256, paired.
const exportGroup = 32 << 20

type exporter struct {
	Export
	keeper
	plan   *plan.Plan
	paired bool
	file   *exportSeed // nil: no seed is begun

	writing parallel.Background // the group being written
}

// exportSeed is a seed being exported.
type exportSeed struct {
	*exportFiles
	seed   pipeline.Seed
	frames []int
	times  []frames.Moment // of these frames; nil: not known
	states []field.Welford // of each channel
}

// Open checks that the frames will come seed by seed.
func (e *exporter) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if err := e.open("export", env, in); err != nil {
		return in, err
	}
	e.plan, e.paired = &plan.Plan{}, in.Factor != 0
	e.group = min(max(1, exportGroup/e.frameBytes()), 256)
	return in, nil
}

// frameBytes returns the size of a frame's tensors.
func (e *exporter) frameBytes() int {
	return 4 * len(exportset.Columns(e.paired)) * len(e.in.Channels) * e.in.Cells()
}

// Forecast adds the files.
func (e *exporter) Forecast(f *pipeline.Forecast) {
	files, frames := 0, 0
	for i, s := range e.in.Seeds {
		if e.env.Shard.Has(i) {
			files += len(e.fileNames(s))
			frames += s.Frames
		}
	}
	f.Disk(e.env.Run.Dir, float64(frames)*float64(e.frameBytes()), fmt.Sprintf("%s of %s, %s", words.Count(files, "file"), strings.Join(exportset.Columns(e.paired), " and "), words.Count(frames, "frame")))
}

// Writes returns the files of all seeds, and the manifests of all parts of the work.
func (e *exporter) Writes() []string {
	names := []string{exportset.ManifestName}
	for i := range e.env.Shard.N {
		names = append(names, partManifest(i+1, e.env.Shard.N))
	}
	for _, s := range e.in.Seeds {
		names = append(names, e.fileNames(s)...)
	}
	return names
}

// partManifest returns the name of the manifest of the i-th of n parts of the work.
func partManifest(i, n int) string { return fmt.Sprintf("manifest.%d-of-%d.json", i, n) }

// Resume returns the finished seeds, and checks that the disk has room for the others.
func (e *exporter) Resume(ctx context.Context, key string) (map[frames.Part]bool, error) {
	return e.resume(ctx, key, e.manifest(), room{seed: int64(e.frameBytes() + 1024)}, exportset.ManifestName)
}

// manifest returns the manifest without its files.
func (e *exporter) manifest() exportset.Manifest {
	m := exportset.Manifest{Format: e.Format, ChannelNames: e.in.Channels, H: e.in.H, W: e.in.W}
	if e.paired {
		m.Factor, m.Boundary = e.in.Factor, "clamp"
		if e.in.Periodic {
			m.Boundary = "periodic"
		}
	}
	if e.in.Stats != nil {
		m.Normalized, m.Mean, m.Std = true, e.in.Stats.Mean, e.in.Stats.Std
	}
	return m
}

// Fuse takes over the preprocessing above.
func (e *exporter) Fuse(above []pipeline.Stage) (n int) {
	e.plan, n = plan.Fold(above)
	return n
}

// Process gathers frames of a seed into groups, and writes them.
func (e *exporter) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	return nil, e.take(in.(*frames.Frames), e)
}

// begin starts a seed's files.
func (e *exporter) begin(seed pipeline.Seed) error {
	files, err := e.create(seed)
	if err != nil {
		return err
	}
	e.file = &exportSeed{exportFiles: files, seed: seed, states: make([]field.Welford, len(e.in.Channels))}
	return nil
}

// work prepares the held frames in parallel, and writes them in the background while
// the next frames are gathered.
func (e *exporter) work() error {
	size := len(e.in.Channels) * e.in.Cells()
	n := len(e.held)
	tensors := make([]*memory.Buffer, len(exportset.Columns(e.paired)))
	for i := range tensors {
		tensors[i] = frames.NewBuffer(e.env.Mem, n*size)
	}
	release := func() {
		for _, t := range tensors {
			t.Release()
		}
	}
	var origins []frames.Origin
	for i := range e.held {
		origins = append(origins, e.origin(i))
		e.file.frames = append(e.file.frames, origins[i].Frame)
		if origins[i].Moment.Known {
			e.file.times = append(e.file.times, origins[i].Moment)
		}
	}
	states := make([][]field.Welford, n)
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
	file := e.file
	err = e.writing.Start(func() error {
		defer release()
		return file.write(origins, tensors)
	})
	if err != nil {
		release()
	}
	return err
}

// moments returns the mean and variance of each channel of x_hi (C,H,W).
func moments(hi []float32, channels int) []field.Welford {
	states := make([]field.Welford, channels)
	cells := len(hi) / channels
	for c := range states {
		states[c] = plan.Moments(hi[c*cells:][:cells])
	}
	return states
}

// end finishes and records the seed's files, in the background while the next seed is
// written.
func (e *exporter) end() error {
	err := errors.Join(e.writing.Wait(), e.ending.Wait())
	if err != nil {
		return err
	}
	f := e.file
	e.file = nil
	return e.ending.Start(func() error {
		defer f.close()
		files, err := f.commit()
		if err != nil {
			return err
		}
		extra, err := json.Marshal(exportset.Seed{Split: f.seed.Split.String(), Frames: f.frames, Moments: f.times, Sums: f.sums, Welford: f.states})
		if err != nil {
			return err
		}
		return e.set.Commit(parts.Record{Seed: f.seed.Seed, Split: f.seed.Part().Split, Files: files, Extra: extra})
	})
}

// Flush writes this run's manifest, if it is one of several, and the manifest of all
// seeds once every seed is there.
func (e *exporter) Flush(ctx context.Context) ([]pipeline.Element, error) {
	records, missing, err := e.results(ctx)
	if err != nil {
		return nil, err
	}
	if e.env.Shard.N > 1 {
		var mine []parts.Record
		for i, s := range e.in.Seeds {
			at := slices.IndexFunc(records, func(r parts.Record) bool { return r.Part() == s.Part() })
			if e.env.Shard.Has(i) && at >= 0 {
				mine = append(mine, records[at])
			}
		}
		if err := e.whole(mine).manifest(partManifest(e.env.Shard.I, e.env.Shard.N)); err != nil {
			return nil, err
		}
	}
	if missing > 0 {
		e.noteMissing(len(records), missing)
		return nil, nil
	}
	return nil, e.whole(records).export()
}

// export makes the manifest of an export.
func (w *whole) export() error {
	if err := w.manifest(exportset.ManifestName); err != nil {
		return err
	}
	return w.set.Summarize(w.records, exportset.ManifestName)
}

// manifest writes the manifest of the recorded seeds, and notes their size.
func (w *whole) manifest(name string) error {
	m := exportset.Manifest{}
	if err := json.Unmarshal(w.set.About, &m); err != nil {
		return fmt.Errorf("%s: what the manifest is made of: %w", w.dir, err)
	}
	m.Files = []exportset.File{}
	n, err := m.Add(w.records)
	if err != nil {
		return fmt.Errorf("%s: %w", w.dir, err)
	}
	path := filepath.Join(w.dir, name)
	if err := m.WriteFile(path); err != nil {
		return err
	}
	bytes := int64(0)
	for _, f := range m.Files {
		bytes += f.Bytes
	}
	w.note("export    %s: %s, %s, %s", path, words.Count(len(m.Files), "file"), words.Count(n, "frame"), atomicfile.Size(bytes))
	return nil
}

// Close removes the unfinished files of an interrupted run.
func (e *exporter) Close() error {
	e.close()
	_ = e.writing.Wait()
	if e.file != nil {
		e.file.close()
	}
	return nil
}
