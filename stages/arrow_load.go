package stages

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/dataset/exportset"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/pipeline"
)

// ArrowLoad reads the frames of an exported data set.
//
//	DIR/manifest.json, seed_0000.arrow ...   -- seed 0 ------------------ seed 1 --
//	                                         [           arrow_load           ]
//	x_hi, x_lo (1,C,H,W)                     -- frame 0 -- 1 -- 2 -- ... -- 0 -- 1 --
type ArrowLoad struct {
	Input  string   `yaml:"input" flag:"input" path:"file" doc:"folder of a data set that export has made, with its manifest.json" resume:"free"`
	Seeds  []int    `yaml:"seeds" doc:"seeds to read, 0-79 or a list; empty: all"`
	Splits []string `yaml:"splits" oneof:"train|val|test" doc:"splits to read; empty: all"`
	Verify bool     `yaml:"verify" doc:"check every file against its SHA-256 first" resume:"free"`
}

func init() {
	pipeline.Register(pipeline.Declaration[ArrowLoad]{
		Name: "arrow_load",
		Doc: `Reads the frames of a data set that export has written as Arrow.

	DIR/manifest.json, seed_0000.arrow ...   -- seed 0 ------------------ seed 1 --
	                                         [           arrow_load           ]
	x_hi, x_lo (1,C,H,W)                     -- frame 0 -- 1 -- 2 -- ... -- 0 -- 1 --

Seeds and splits are those of the manifest. For training it replays the frames as
arrow_cache does, so the flow needs no arrow_cache. If the set has x_lo, it needs no
pool_upsample either. With run.overfit all frames of the first seed are both the
training and the validation split. The manifest and every frame are checked against
their checksums.`,
		Link: pipeline.Link{Adds: pipeline.Planar | pipeline.Paired | pipeline.Replayed},
		New:  func(c *ArrowLoad) pipeline.Stage { return &arrowLoad{ArrowLoad: *c} },
	})
}

var (
	_ pipeline.Picker = (*arrowLoad)(nil)
	_ pipeline.Reader = (*arrowLoad)(nil)
)

type arrowLoad struct {
	ArrowLoad
	seedFilter
	env    *pipeline.Env
	files  []*exportset.Rows
	listed []loaded // in the order of a single pass
	cut    bool     // seeds have a file for each of several splits
	splits []frames.Split
	reads  []string // the manifest and all its files
}

// Reads returns the manifest and the files of the set.
func (l *arrowLoad) Reads() []string { return l.reads }

// loaded is a frame: a row of a file.
type loaded struct {
	file, row int
	part      frames.Part
	origin    frames.Origin
}

// Open opens the files and checks them against the manifest.
func (l *arrowLoad) Open(_ context.Context, env *pipeline.Env, _ pipeline.Meta) (meta pipeline.Meta, err error) {
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	l.env = env
	if l.Input == "" {
		return meta, fmt.Errorf("input is not set: give the folder of an exported data set by --input")
	}
	path := filepath.Join(l.Input, exportset.ManifestName)
	m, err := exportset.Read(path)
	if err != nil {
		return meta, err
	}
	if m.Format != "arrow" {
		return meta, fmt.Errorf("%s: the set has %s files: want arrow (export with --format arrow)", path, m.Format)
	}
	meta = pipeline.Meta{Channels: m.ChannelNames, Grid: env.Run.Domain(m.H, m.W), Factor: m.Factor, Periodic: m.Boundary == "periodic"}
	if m.Normalized {
		meta.Stats = &field.Stats{Mean: m.Mean, Std: m.Std}
	}
	l.reads = []string{path}
	for _, f := range m.Files {
		l.reads = append(l.reads, filepath.Join(l.Input, f.Path))
	}
	chosen, err := l.choose(path, m)
	if err != nil {
		return meta, err
	}
	if l.files, err = l.open(m, chosen); err != nil {
		return meta, err
	}
	if env.Run.Overfit {
		l.cut = false
		for _, split := range []frames.Split{frames.Val, frames.Train} {
			for i := range l.files {
				l.list(&meta, i, split)
			}
		}
	} else {
		for i := range l.files {
			l.list(&meta, i, l.files[i].Rows[0].Split)
		}
	}
	meta.Identity = m.Identity
	meta.Digests = frames.Digests(len(l.listed), func(i int) (frames.Origin, []uint32) {
		f := l.listed[i]
		return f.origin, l.files[f.file].Sums(f.row)
	})
	return meta, l.stored().warnOfTwins(env)
}

// choose returns the wanted files of the manifest.
func (l *arrowLoad) choose(path string, m exportset.Manifest) (chosen []exportset.File, err error) {
	there, twice := map[int]bool{}, map[frames.Part]bool{}
	for _, f := range m.Files {
		part := frames.Part{Seed: f.Seed, Split: f.Split}
		if twice[part] {
			return nil, fmt.Errorf("%s: seed %d is listed twice", path, f.Seed)
		}
		l.cut = l.cut || there[f.Seed]
		there[f.Seed], twice[part] = true, true
		if (len(l.Seeds) == 0 || slices.Contains(l.Seeds, f.Seed)) && (len(l.Splits) == 0 || slices.Contains(l.Splits, f.Split)) {
			chosen = append(chosen, f)
		}
	}
	for _, s := range l.Seeds {
		if !there[s] {
			return nil, fmt.Errorf("seed %d is not in %s: it has %s", s, path, dataset.SeedList(slices.Sorted(maps.Keys(there))))
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%s: no simulation in the wanted splits", path)
	}
	if l.env.Run.Overfit {
		first := chosen[0].Seed
		chosen = slices.DeleteFunc(chosen, func(f exportset.File) bool { return f.Seed != first })
	}
	return chosen, nil
}

// open opens the files, in parallel.
func (l *arrowLoad) open(m exportset.Manifest, chosen []exportset.File) ([]*exportset.Rows, error) {
	files := make([]*exportset.Rows, len(chosen))
	err := parallel.Each(len(chosen), func(i int) (err error) {
		files[i], err = m.Open(l.Input, chosen[i], l.Verify)
		return err
	})
	if err != nil {
		for _, f := range files {
			if f != nil {
				f.Close()
			}
		}
		return nil, err
	}
	return files, nil
}

// list adds a file's frames to the frames that will be sent.
func (l *arrowLoad) list(meta *pipeline.Meta, file int, split frames.Split) {
	rows := l.files[file].Rows
	part := frames.PartOf(rows[0].Seed, split, l.cut)
	for i, row := range rows {
		row.Origin.Split = split
		l.listed = append(l.listed, loaded{file: file, row: i, part: part, origin: row.Origin})
		l.splits = append(l.splits, split)
	}
	meta.Announce(pipeline.Seed{Seed: rows[0].Seed, Frames: len(rows), Split: split, Cut: l.cut})
}

// Emit sends the frames. In a single pass they come seed by seed.
func (l *arrowLoad) Emit(ctx context.Context, pass pipeline.Pass, send func(pipeline.Element) error) error {
	if pass == pipeline.Endless {
		return replay(ctx, pass, l.env, l.stored(), send)
	}
	for _, listed := range l.listed {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !l.wants(listed.part) {
			continue
		}
		f, err := l.frame(listed)
		if err != nil {
			return err
		}
		if err := send(f); err != nil {
			return err
		}
	}
	return nil
}

// stored returns the frames that will be sent.
func (l *arrowLoad) stored() stored {
	return stored{
		splits: l.splits,
		bytes:  int64(l.files[0].RowBytes()),
		sum:    func(i int) uint32 { return l.files[l.listed[i].file].Sums(l.listed[i].row)[0] },
		read:   func(i int) (*frames.Frames, error) { return l.frame(l.listed[i]) },
	}
}

// frame reads a frame.
func (l *arrowLoad) frame(f loaded) (*frames.Frames, error) {
	file := l.files[f.file]
	hi, lo, err := file.Tensors(l.env.Mem, f.row)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", f.origin, err)
	}
	return frames.New(file.Channels, l.env.Run.Domain(file.H, file.W), []frames.Origin{f.origin}, hi, lo), nil
}

// Close closes the files.
func (l *arrowLoad) Close() error {
	for _, f := range l.files {
		f.Close()
	}
	l.files = nil
	return nil
}
