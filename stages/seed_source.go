package stages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/pipeline"
)

// seedSource reads simulations, each a seed, frame by frame: what npy_load and athena_load
// share.
type seedSource struct {
	seedFilter
	mem   memory.Allocator
	run   dataset.Run
	seeds []dataset.Seed
}

// seedChoice is the seeds that were found, and what a spec wants of them.
type seedChoice struct {
	place         string // of the seeds, for messages
	found         []int
	files         func(seed int) (dataset.Files, error)
	fields        []string
	seeds, frames []int // empty: all
	Splitting
}

// open splits the seeds and reads their headers.
func (l *seedSource) open(env *pipeline.Env, c seedChoice) (pipeline.Meta, error) {
	l.mem = env.Mem
	pick := c.selection(c.seeds, env.Run.Overfit)
	if err := l.choose(c, pick); err != nil {
		return pipeline.Meta{}, err
	}
	identity := sha256.New()
	var meta pipeline.Meta
	l.run = dataset.Run{Fields: c.fields, Grid: env.Run.Domain(0, 0)}
	for i := range l.seeds {
		if err := l.measure(&l.seeds[i], c, pick); err != nil {
			return pipeline.Meta{}, err
		}
		s := l.seeds[i]
		meta.Announce(pipeline.Seed{Seed: s.Seed, Frames: len(s.Frames), Split: s.Split, Cut: s.Cut})
		s.Identify(identity)
	}
	meta.Lossy = l.run.Lossy
	meta.Channels, meta.Grid, meta.Identity = c.fields, l.run.Grid, hex.EncodeToString(identity.Sum(nil))
	return meta, nil
}

// choose finds the seeds to read and the split of each.
func (l *seedSource) choose(c seedChoice, pick dataset.Selection) error {
	seeds, err := pick.Choose(c.found, c.place)
	if err != nil {
		return err
	}
	assigned, err := pick.Assign(seeds)
	if err != nil {
		return err
	}
	for _, a := range assigned {
		files, err := c.files(a.Seed)
		if err != nil {
			return err
		}
		l.seeds = append(l.seeds, dataset.Seed{Files: files, Assignment: a})
	}
	return nil
}

// measure reads a seed's headers, and fills in the frames to read.
func (l *seedSource) measure(s *dataset.Seed, c seedChoice, pick dataset.Selection) error {
	numbers, err := l.run.Measure(s)
	if err != nil {
		return err
	}
	chosen, err := dataset.ChooseFrames(numbers, c.frames)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Paths()[0], err)
	}
	at, err := pick.Cut(s.Assignment, chosen)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Paths()[0], err)
	}
	for _, i := range at {
		s.Frames = append(s.Frames, chosen[i])
	}
	return nil
}

// Reads returns the seeds' files.
func (l *seedSource) Reads() (paths []string) {
	for _, s := range l.seeds {
		paths = append(paths, s.Paths()...)
	}
	return paths
}

// Emit sends the frames, seed by seed.
func (l *seedSource) Emit(ctx context.Context, _ pipeline.Pass, send func(pipeline.Element) error) error {
	for _, s := range l.seeds {
		if !l.wants(s.Part()) {
			continue
		}
		err := s.Emit(ctx, l.mem, l.run, func(f *frames.Frames) error { return send(f) })
		if err != nil {
			return fmt.Errorf("seed %d: %w", s.Seed, err)
		}
	}
	return nil
}

// Close has nothing to free.
func (l *seedSource) Close() error { return nil }
