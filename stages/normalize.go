package stages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/frames"
	"fmsr/internal/parallel"
	"fmsr/internal/prep"
	"fmsr/pipeline"
)

// Normalize brings every channel to zero mean and unit deviation.
//
//	physical     -- x_hi, x_lo ------
//	             [ (x - mean) / std ]
//	normalized   -- x_hi', x_lo' ----
type Normalize struct{}

func init() {
	pipeline.Register(pipeline.Declaration[Normalize]{
		Name: "normalize",
		Doc: `Brings every channel to zero mean and unit deviation.

	physical     -- x_hi, x_lo ------
	             [ (x - mean) / std ]
	normalized   -- x_hi', x_lo' ----

The mean and the population standard deviation are x_hi's over the training split,
found in one pass before the run and kept; x_lo is normalized by the same figures.`,
		Link: pipeline.Link{Needs: pipeline.Planar, Adds: pipeline.Normalized},
		New:  func(*Normalize) pipeline.Stage { return &normalize{} },
	})
}

var (
	_ pipeline.Processor = (*normalize)(nil)
	_ pipeline.FitFuser  = (*normalize)(nil)
)

// smallestStd keeps a constant channel from being divided by zero, or by the
// round-off of its mean: it is in units of that, whatever the field's own are.
const smallestStd = 1e-8

type normalize struct {
	mem      memory.Allocator
	channels []string
	welford  []frames.Welford
	stats    frames.Stats

	plan *prep.Plan // work of the stages above that Fit does itself; nil: none
}

// Open offers the statistics, which are filled before anything flows.
func (z *normalize) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if in.Frames[frames.Train] == 0 {
		return in, errors.New("there are no training frames to take the statistics from")
	}
	if in.Stats != nil {
		return in, errors.New("the frames are normalized already: start from a data set in physical units (an export without normalize)")
	}
	z.mem, z.channels = env.Mem, in.Channels
	z.welford = make([]frames.Welford, len(in.Channels))
	in.Stats = &z.stats
	return in, nil
}

// FitKey: the statistics depend on the frames alone.
func (z *normalize) FitKey() any { return struct{}{} }

// FuseFit takes over the selection of channels, and leaves out x_lo.
func (z *normalize) FuseFit(above []pipeline.Stage) int {
	plan, n := prep.Fold(above)
	plan.Factor = 0
	z.plan = plan
	return n
}

// Fit takes in the training frames, the channels in parallel.
func (z *normalize) Fit(_ context.Context, in pipeline.Element) (bool, error) {
	f := in.(*frames.Frames)
	if f.Split() != frames.Train {
		return false, nil
	}
	values, cells, channels := frames.Floats(f.Hi), f.H*f.W, len(z.welford)
	if z.plan != nil {
		planes := frames.NewBuffer(z.mem, f.N()*channels*cells)
		defer planes.Release()
		values = frames.Floats(planes)
		if err := z.plan.RunAll(f, values, nil); err != nil {
			return false, err
		}
	}
	return false, parallel.Each(channels, func(c int) error {
		for n := range f.N() {
			z.welford[c].Add(values[(n*channels+c)*cells:][:cells])
		}
		return nil
	})
}

// Fitted is the Welford state of each channel.
func (z *normalize) Fitted() (any, error) {
	if z.welford[0].Count == 0 {
		return nil, errors.New("no training frame came")
	}
	return z.welford, nil
}

// Restore takes the states back and derives the statistics.
func (z *normalize) Restore(data []byte) error {
	var states []frames.Welford
	if err := json.Unmarshal(data, &states); err != nil {
		return fmt.Errorf("statistics: %w", err)
	}
	if len(states) != len(z.channels) || states[0].Count == 0 {
		return fmt.Errorf("statistics of %d channels, want %d", len(states), len(z.channels))
	}
	z.stats.Mean, z.stats.Std = nil, nil
	for _, w := range states {
		z.stats.Mean = append(z.stats.Mean, w.Mean)
		std := max(w.Std(), smallestStd*math.Abs(w.Mean))
		if std == 0 {
			std = smallestStd
		}
		z.stats.Std = append(z.stats.Std, std)
	}
	return nil
}

// Process normalizes x_hi and, where there is one, x_lo.
func (z *normalize) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	f := in.(*frames.Frames)
	var lo *memory.Buffer
	if f.Lo != nil {
		lo = z.apply(f, f.Lo)
	}
	return []pipeline.Element{frames.New(f.Channels, f.H, f.W, f.Origins, z.apply(f, f.Hi), lo)}, nil
}

func (z *normalize) apply(f *frames.Frames, src *memory.Buffer) *memory.Buffer {
	out := frames.NewBuffer(z.mem, f.N()*f.FrameLen())
	from, to := frames.Floats(src), frames.Floats(out)
	cells := f.H * f.W
	for i := range f.N() * len(f.Channels) {
		mean, scale := float32(z.stats.Mean[i%len(f.Channels)]), float32(1/z.stats.Std[i%len(f.Channels)])
		plane, normalized := from[i*cells:(i+1)*cells], to[i*cells:(i+1)*cells]
		for j, v := range plane {
			normalized[j] = (v - mean) * scale
		}
	}
	return out
}

// Fold leaves the arithmetic to a plan.
func (z *normalize) Fold(p *prep.Plan) bool {
	if p.Stored || p.Factor != 0 || p.Mean != nil {
		return false
	}
	p.Mean, p.Std = z.stats.Mean, z.stats.Std
	return true
}

// Close has nothing to free.
func (z *normalize) Close() error { return nil }
