package sinks

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"unsafe"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/pipeline"
)

// powerSource is a source of spectra, such as hi or lo, with its shells.
type powerSource struct {
	name   string
	shells *field.Shells
}

// seedPowers is the P(k) of a seed's frames, in a file as in memory: for each
// source and each field a block (frames, shells) of float64.
type seedPowers struct {
	seed    pipeline.Seed
	sources []powerSource
	fields  int
	frames  []int
	moments []frames.Moment // of these frames; nil: not known
	values  []float64
}

// seedExtra is the part of a seed's record besides its file.
type seedExtra struct {
	Split   string          `json:"split"`
	Frames  []int           `json:"frames"`
	Moments []frames.Moment `json:"moments,omitempty"`
}

func newSeedPowers(seed pipeline.Seed, fields int, sources []powerSource) *seedPowers {
	p := &seedPowers{seed: seed, sources: sources, fields: fields}
	p.values = make([]float64, p.offset(len(sources), 0))
	return p
}

// offset returns where the block of a source and a field begins, in values.
func (p *seedPowers) offset(source, field int) int {
	at := 0
	for _, s := range p.sources[:source] {
		at += p.fields * p.seed.Frames * s.shells.Len()
	}
	if field > 0 {
		at += field * p.seed.Frames * p.sources[source].shells.Len()
	}
	return at
}

// add puts the next frame's powers into their blocks.
func (p *seedPowers) add(origin frames.Origin, powers framePowers) {
	for i, s := range p.sources {
		k := s.shells.Len()
		for field := range p.fields {
			copy(p.values[p.offset(i, field)+len(p.frames)*k:][:k], powers[i][field*k:])
		}
	}
	p.frames = append(p.frames, origin.Frame)
	if origin.Moment.Known {
		p.moments = append(p.moments, origin.Moment)
	}
}

// of returns P(k) of the n-th frame.
func (p *seedPowers) of(n, source, field int) []float64 {
	k := p.sources[source].shells.Len()
	return p.values[p.offset(source, field)+n*k:][:k]
}

// commit writes the file and its record.
func (p *seedPowers) commit(set *parts.Set) error {
	file, err := set.Create(filepath.Join(parts.Folder, p.seed.Part().String()+".power"))
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write(bytesOf(p.values)); err != nil {
		return fmt.Errorf("%s: %w", file.Path(), err)
	}
	if err := file.Commit(); err != nil {
		return err
	}
	extra, err := json.Marshal(seedExtra{Split: p.seed.Split.String(), Frames: p.frames, Moments: p.moments})
	if err != nil {
		return fmt.Errorf("seed %d: record: %w", p.seed.Seed, err)
	}
	return set.Commit(parts.Record{Seed: p.seed.Seed, Split: p.seed.Part().Split, Files: []parts.File{file.Entry(len(p.frames))}, Extra: extra})
}

// moment returns when the n-th frame is of.
func (p *seedPowers) moment(n int) frames.Moment {
	if p.moments == nil {
		return frames.Moment{}
	}
	return p.moments[n]
}

// read fills values from the file, starting at value from.
func (p *seedPowers) read(dir string, record parts.Record, from int, values []float64) error {
	file, err := infile.Open(filepath.Join(dir, record.Files[0].Path))
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.ReadAt(bytesOf(values), int64(8*from)); err != nil {
		return fmt.Errorf("%s: %d values from value %d: %w", file.Name(), len(values), from, err)
	}
	return nil
}

func bytesOf(x []float64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 8*len(x))
}
