package stages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/field/plan"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/pipeline"
)

// Normalize brings every channel to zero mean and unit deviation.
//
//	physical     -- x_hi, x_lo ------
//	             [ (x - mean) / std ]
//	normalized   -- x_hi', x_lo' ----
type Normalize struct {
	Log []string `yaml:"log" doc:"positive fields, such as density, whose logarithm is normalized: then a model makes positive values of them"`
}

func init() {
	pipeline.Register(pipeline.Declaration[Normalize]{
		Name: "normalize",
		Doc: `Brings every channel to zero mean and unit deviation.

	physical     -- x_hi, x_lo ------
	             [ (x - mean) / std ]
	normalized   -- x_hi', x_lo' ----

The mean and the population standard deviation are those of x_hi over the training
split. One pass before the run computes them, and later runs reuse them. x_lo is
normalized with the same mean and deviation. Those of a field that log names are its
natural logarithm's; metrics, pictures and samples are in physical units all the same. Runs that share the work (--shard I/N) share
that pass too, and get the same statistics.`,
		Link: pipeline.Link{Needs: pipeline.Planar, Refuses: pipeline.Normalized, Adds: pipeline.Normalized},
		New:  func(c *Normalize) pipeline.Stage { return &normalize{Normalize: *c} },
	})
}

var (
	_ pipeline.Processor  = (*normalize)(nil)
	_ pipeline.FitFuser   = (*normalize)(nil)
	_ pipeline.PartFitter = (*normalize)(nil)
)

type normalize struct {
	Normalize
	mem      memory.Allocator
	progress *pipeline.Progress
	channels []string
	moments  [][]field.Welford // of each channel of each training frame, in order
	stats    field.Stats

	above *plan.Plan // of the stages above whose work Fit does; nil: none
}

// Open announces the statistics, which Restore fills in before anything flows.
func (z *normalize) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if in.Frames[frames.Train] == 0 {
		return in, errors.New("there are no training frames to take the statistics from")
	}
	if in.Stats != nil {
		return in, errors.New("the frames are normalized already: start from a data set in physical units (an export without normalize)")
	}
	z.mem, z.progress, z.channels = env.Mem, env.Progress, in.Channels
	for _, name := range z.Log {
		c := slices.Index(in.Channels, name)
		if c < 0 {
			return in, fmt.Errorf("log names the field %s, which is missing: the fields are %s", name, strings.Join(in.Channels, ", "))
		}
		if z.stats.Log == nil {
			z.stats.Log = make([]bool, len(in.Channels))
		}
		z.stats.Log[c] = true
	}
	in.Stats = &z.stats
	return in, nil
}

// FitKey has the fields whose logarithm is measured: beside them, the statistics depend on
// the frames alone.
func (z *normalize) FitKey() any {
	return struct {
		Log []string `json:",omitempty"`
	}{z.Log}
}

// FuseFit takes over the work of the stages above, but makes no x_lo.
func (z *normalize) FuseFit(above []pipeline.Stage) int {
	p, n := plan.Fold(above)
	p.Factor = 0
	z.above = p
	return n
}

// Fit adds a training frame to the statistics, the channels in parallel.
func (z *normalize) Fit(_ context.Context, in pipeline.Element) (bool, error) {
	f := in.(*frames.Frames)
	if f.Split() != frames.Train {
		return false, nil
	}
	values, cells, channels := f.XHi(), f.Cells(), len(z.channels)
	if z.above != nil {
		size := channels * cells
		planes := frames.NewBuffer(z.mem, f.N()*size)
		defer planes.Release()
		values = frames.Floats(planes)
		err := parallel.Each(f.N(), func(n int) error {
			if err := z.above.Run(f, n, values[n*size:][:size], nil); err != nil {
				return frames.At(f.Origins[n], err)
			}
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	moments := make([][]field.Welford, f.N())
	for n := range moments {
		moments[n] = make([]field.Welford, channels)
	}
	z.moments = append(z.moments, moments...)
	return false, parallel.Each(channels, func(c int) error {
		for n := range moments {
			plane := values[(n*channels+c)*cells:][:cells]
			if z.stats.IsLog(c) {
				var err error
				if plane, err = logarithms(plane); err != nil {
					return frames.At(f.Origins[n], fmt.Errorf("field %s: %w", z.channels[c], err))
				}
			}
			moments[n][c] = plan.Moments(plane)
		}
		return nil
	})
}

// logarithms returns those of a plane.
func logarithms(plane []float32) ([]float32, error) {
	out := make([]float32, len(plane))
	for i, v := range plane {
		if !(v > 0) {
			return nil, fmt.Errorf("%g has no logarithm (normalize.log)", v)
		}
		out[i] = float32(math.Log(float64(v)))
	}
	return out, nil
}

// Fitted returns the Welford state of each channel. It merges the frames in their order, so
// that the bits do not depend on who has seen which.
func (z *normalize) Fitted() (any, error) {
	if len(z.moments) == 0 {
		return nil, errors.New("no training frame reached it")
	}
	states := make([]field.Welford, len(z.channels))
	for _, frame := range z.moments {
		for c := range states {
			states[c].Merge(frame[c])
		}
	}
	return states, nil
}

// FitsPart: the statistics are of all training frames.
func (z *normalize) FitsPart(s pipeline.Seed, _ bool) bool { return s.Split == frames.Train }

// FittedPart returns the moments of each frame of a part.
func (z *normalize) FittedPart() (any, error) {
	moments := z.moments
	z.moments = nil
	return moments, nil
}

// JoinParts takes the moments of all training frames.
func (z *normalize) JoinParts(parts []json.RawMessage) error {
	z.moments = nil
	for _, data := range parts {
		var moments [][]field.Welford
		if err := json.Unmarshal(data, &moments); err != nil {
			return fmt.Errorf("statistics: %w", err)
		}
		for _, frame := range moments {
			if len(frame) != len(z.channels) {
				return fmt.Errorf("statistics of %d channels, want %d", len(frame), len(z.channels))
			}
		}
		z.moments = append(z.moments, moments...)
	}
	return nil
}

// Restore computes the statistics from the states.
func (z *normalize) Restore(data []byte) error {
	var states []field.Welford
	if err := json.Unmarshal(data, &states); err != nil {
		return fmt.Errorf("statistics: %w", err)
	}
	if len(states) != len(z.channels) || states[0].Count == 0 {
		return fmt.Errorf("statistics of %d channels, want %d", len(states), len(z.channels))
	}
	logs := z.stats.Log
	z.stats = field.StatsOf(states)
	z.stats.Log = logs
	for c, w := range states {
		if note := judge(z.channels[c], w); note != "" {
			z.progress.Note("%s", note)
		}
	}
	return nil
}

// judge returns a line about a field that has nothing to learn from, or "".
func judge(name string, w field.Welford) string {
	if w.Constant() {
		return fmt.Sprintf("field %s is constant in the training frames: %.6g", name, w.Mean)
	}
	if digits, apart := w.Digits(); digits < field.EnoughDigits {
		return fmt.Sprintf("warning: field %s is %.6g +- %.3g in the training frames, where float32 numbers are %.2g apart: %.1f digits of its variation are left",
			name, w.Mean, w.Std(), apart, digits)
	}
	return ""
}

// Process normalizes x_hi and, where there is one, x_lo.
func (z *normalize) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	return applied(z, z.mem, in)
}

// Fold adds the normalization to a plan.
func (z *normalize) Fold(p *plan.Plan) bool {
	if p.Stored || p.Factor != 0 || p.Stats != nil {
		return false
	}
	p.Stats = &z.stats
	return true
}

// Close has nothing to free.
func (z *normalize) Close() error { return nil }
