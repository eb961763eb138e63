package stages

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/rng"
	"fmsr.example/fmsr/pipeline"
)

// SymmetryConfig are the keys of the symmetries that training draws from.
type SymmetryConfig struct {
	Symmetries []string            `yaml:"symmetries" oneof:"shift|reflect_x|reflect_y|rotate|flip_b" flag:"symmetries" doc:"symmetries of the equations: each training sample is moved by a random combination of them; shift: around the periodic domain; rotate: by 180 degrees; flip_b: B to -B"`
	Odd        map[string][]string `yaml:"odd" flag:"odd" oneof:"reflect_x|reflect_y|flip_b" doc:"fields, as {Bz: [flip_b], rho: []}, with the symmetries that change their sign; of density velx vely velz Bx By Bz jz those of a shearing box are known"`
}

// The symmetries. Reflect_x takes x to -x and, since the Coriolis force couples vx and vz, z
// to -z: it is the rotation by 180 degrees about the y axis, along which the box rotates.
// Reflect_y is the mirror y to -y. Rotate is both: it takes every vector to minus itself.
const (
	shift    = "shift"
	reflectX = "reflect_x"
	reflectY = "reflect_y"
	rotate   = "rotate"
	flipB    = "flip_b"
)

// shearingBox has the symmetries that change a field's sign, in an axisymmetric shearing box
// of radial x, vertical y and azimuthal z. B is a pseudovector: reflect_y changes the sign
// of Bx and Bz. docs/training.md derives them.
var shearingBox = map[string][]string{
	"density": {},
	"velx":    {reflectX}, "vely": {reflectY}, "velz": {reflectX},
	"Bx": {reflectX, reflectY, flipB}, "By": {flipB}, "Bz": {reflectX, reflectY, flipB},
	"jz": {reflectX, flipB},
}

// Validate reports symmetries that the domain does not have.
func (c *SymmetryConfig) Validate(run *pipeline.Run, report func(key, format string, args ...any)) {
	if slices.Contains(c.Symmetries, shift) && slices.Contains(run.Grid.Boundary, field.Open.String()) {
		report("symmetries", "has %s, and run.grid.boundary is %v: only a domain that is periodic along both axes can be shifted around", shift, run.Grid.Boundary)
	}
}

// turns reports whether a symmetry of the list changes signs or directions.
func (c *SymmetryConfig) turns() bool {
	return slices.ContainsFunc(c.Symmetries, func(name string) bool { return name != shift })
}

// augmenter moves training samples by random symmetries.
type augmenter struct {
	of   []string
	odd  [][]string // of each channel
	in   pipeline.Meta
	seed uint64
	mem  memory.Allocator

	looked bool // that x_lo is the average of x_hi
}

// newAugmenter returns the augmenter of a spec, nil if it names no symmetries. It returns an
// error if what they do to a field is not known.
func newAugmenter(c SymmetryConfig, env *pipeline.Env, in pipeline.Meta) (*augmenter, error) {
	for name := range c.Odd {
		if !slices.Contains(in.Channels, name) {
			return nil, fmt.Errorf("odd names the field %s, which is missing: the fields are %s", name, strings.Join(in.Channels, ", "))
		}
	}
	if len(c.Symmetries) == 0 {
		return nil, nil
	}
	if in.Coarse && slices.Contains(c.Symmetries, shift) {
		return nil, fmt.Errorf("symmetries has %s, for which x_lo is averaged anew: x_lo of pair_load is a coarse run's own", shift)
	}
	a := &augmenter{of: c.Symmetries, in: in, seed: env.Run.Seed, mem: env.Mem}
	for channel, name := range in.Channels {
		odd, known := c.Odd[name]
		if !known {
			odd, known = shearingBox[name]
		}
		if !known && c.turns() {
			return nil, fmt.Errorf("symmetries are %s, and whether they change the sign of the field %s is not known: add train.odd, as {%s: []} if they do not, or {%s: [%s]}",
				strings.Join(c.Symmetries, ", "), name, name, name, reflectX)
		}
		if in.Stats != nil && in.Stats.IsLog(channel) && slices.ContainsFunc(odd, c.includes) {
			return nil, fmt.Errorf("symmetries change the sign of the field %s, whose logarithm is normalized (normalize.log)", name)
		}
		a.odd = append(a.odd, odd)
	}
	return a, nil
}

// includes reports whether a combination of the symmetries has a part.
func (c *SymmetryConfig) includes(part string) bool {
	return slices.Contains(c.Symmetries, part) || part != flipB && slices.Contains(c.Symmetries, rotate)
}

// farFlip is the mean of a field, in deviations, beyond which frames of the other sign are
// too far from the others to be normalized with them.
const farFlip = 10

// warnings returns a line for each field whose mean is too far from 0 to change its sign.
func (a *augmenter) warnings() (lines []string) {
	config := SymmetryConfig{Symmetries: a.of}
	for c, name := range a.in.Channels {
		if !slices.ContainsFunc(a.odd[c], config.includes) {
			continue
		}
		if far := math.Abs(a.in.Stats.Mean[c]) / a.in.Stats.Std[c]; far > farFlip {
			lines = append(lines, fmt.Sprintf("warning: train.symmetries change the sign of %s, whose mean is %.3g deviations: frames of both signs are %.3g deviations apart", name, far, 2*far))
		}
	}
	return lines
}

// drawn is what a sample is moved by.
type drawn struct {
	field.Move
	flipB bool
}

// draw returns what a sample is moved by: each symmetry of the list or not, with
// probability 1/2, and a shift by any number of cells. It is a function of stream and
// sample.
func (a *augmenter) draw(stream uint64, sample int) (d drawn) {
	const numbers = 6
	at := func(i int) float64 { return rng.Uniform(stream, uint64(numbers*sample+i)) }
	does := func(name string, i int) bool { return slices.Contains(a.of, name) && at(i) < 0.5 }
	both := does(rotate, 0)
	d.FlipX, d.FlipY, d.flipB = does(reflectX, 1) != both, does(reflectY, 2) != both, does(flipB, 3)
	if slices.Contains(a.of, shift) {
		d.ShiftY, d.ShiftX = int(at(4)*float64(a.in.H)), int(at(5)*float64(a.in.W))
	}
	return d
}

// sign returns the sign that a channel's field gets.
func (a *augmenter) sign(d drawn, channel int) float32 {
	sign := float32(1)
	for _, part := range a.odd[channel] {
		if part == reflectX && d.FlipX || part == reflectY && d.FlipY || part == flipB && d.flipB {
			sign = -sign
		}
	}
	return sign
}

// move returns a training batch (N,C,H,W) whose samples are moved. Its first sample is
// sample first of batch i of a step. With shifts, which divide the blocks that pooling
// averages, x_lo is made of the moved x_hi; else it is moved itself.
func (a *augmenter) move(batch *frames.Frames, step, i, first int) (*frames.Frames, error) {
	stream := rng.Stream(a.seed, rng.Symmetry, uint64(step), uint64(i))
	shifts := slices.Contains(a.of, shift)
	if shifts && !a.looked {
		if err := a.look(batch); err != nil {
			return nil, err
		}
	}
	out := frames.New(batch.Channels, batch.Grid, batch.Origins, frames.NewBuffer(a.mem, len(batch.XHi())), frames.NewBuffer(a.mem, len(batch.XLo())))
	channels, cells := len(batch.Channels), batch.Cells()
	err := parallel.Each(batch.N()*channels, func(k int) error {
		d, c := a.draw(stream, first+k/channels), k%channels
		plane := func(x []float32) []float32 { return x[k*cells:][:cells] }
		scale, offset := a.sign(d, c), float32(0)
		if scale < 0 { // of a physical value x: (-x - mean) / std
			mean, per := a.in.Stats.Factors(c)
			offset = -2 * mean * per
		}
		d.Plane(plane(out.XHi()), plane(batch.XHi()), batch.Grid, scale, offset)
		if shifts {
			a.average(plane(out.XLo()), plane(out.XHi()), c)
		} else {
			d.Plane(plane(out.XLo()), plane(batch.XLo()), batch.Grid, scale, offset)
		}
		return nil
	})
	if err != nil {
		out.Release()
		return nil, err
	}
	return out, nil
}

// average fills lo with x_lo of a channel's plane hi, both normalized.
func (a *augmenter) average(lo, hi []float32, channel int) {
	stats, small := a.in.Stats, a.in.Grid.Coarser(a.in.Factor)
	if stats.IsLog(channel) { // averages are of physical values
		physical := make([]float32, len(hi))
		stats.Physical(physical, hi, channel)
		hi = physical
	}
	coarse := make([]float32, small.Cells())
	field.Pool(coarse, hi, a.in.Grid, a.in.Factor)
	field.NewUpsampler(small, a.in.Factor, a.in.Periodic).Plane(lo, coarse)
	if stats.IsLog(channel) {
		stats.Normalize(lo, lo, channel)
	}
}

// look returns an error if a batch's x_lo is not the average of its x_hi.
func (a *augmenter) look(batch *frames.Frames) error {
	const roundOff = 0.01
	made := make([]float32, batch.Cells())
	for k := range batch.N() * len(batch.Channels) {
		at, sum := k*len(made), 0.0
		a.average(made, batch.XHi()[at:][:len(made)], k%len(batch.Channels))
		for i, v := range batch.XLo()[at:][:len(made)] {
			sum += math.Pow(float64(v-made[i]), 2) / float64(len(made))
		}
		if far := math.Sqrt(sum); far > roundOff {
			return frames.At(batch.Origins[k/len(batch.Channels)], fmt.Errorf(
				"train.symmetries has %s, for which x_lo is averaged anew, and its x_lo is not the average of x_hi: field %s is %.2g deviations apart", shift, batch.Channels[k%len(batch.Channels)], far))
		}
	}
	a.looked = true
	return nil
}
