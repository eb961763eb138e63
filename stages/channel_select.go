package stages

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/frames"
	"fmsr/internal/prep"
	"fmsr/pipeline"
)

// ChannelSelect picks the fields to work on and lays them out as planes.
//
//	stored (N,H,W,8)   -- 1 ------- 2 --
//	                   [ Bx, jz of 8 ]
//	planar (N,2,H,W)   -- 1' ------ 2' -
type ChannelSelect struct {
	Channels []string `yaml:"channels" flag:"channels" doc:"fields to keep, in that order; all: every field of the file"`
}

func init() {
	pipeline.Register(pipeline.Declaration[ChannelSelect]{
		Name: "channel_select",
		Doc: `Picks fields and lays them out as planes.

	stored (N,H,W,8)   -- 1 ------- 2 --
	                   [ Bx, jz of 8 ]
	planar (N,2,H,W)   -- 1' ------ 2' -

Every value that is kept is checked: NaN and Inf end the run with the seed, frame
and field.`,
		Link:    pipeline.Link{Needs: pipeline.Stored, Adds: pipeline.Planar, Drops: pipeline.Stored},
		Default: ChannelSelect{Channels: []string{"velx"}},
		New:     func(c *ChannelSelect) pipeline.Stage { return &channelSelect{ChannelSelect: *c} },
	})
}

var _ pipeline.Processor = (*channelSelect)(nil)

// Validate reports repeated or missing names.
func (c *ChannelSelect) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if len(c.Channels) == 0 {
		report("channels", "is empty: name fields, or all")
	}
	for i, name := range c.Channels {
		if slices.Contains(c.Channels[:i], name) {
			report("channels", "names %q twice", name)
		}
	}
}

type channelSelect struct {
	ChannelSelect
	index []int // of each kept channel in the file
	mem   memory.Allocator
}

// Open finds the channels among those that will come.
func (c *channelSelect) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if slices.Equal(c.Channels, []string{"all"}) {
		c.Channels = in.Channels
	}
	for _, name := range c.Channels {
		i := slices.Index(in.Channels, name)
		if i < 0 {
			return in, fmt.Errorf("channels: no field %q in the data: it has %s", name, strings.Join(in.Channels, ", "))
		}
		c.index = append(c.index, i)
	}
	c.mem = env.Mem
	in.Channels = c.Channels
	return in, nil
}

// Process gathers each kept channel into a plane.
func (c *channelSelect) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	f := in.(*frames.Frames)
	buffer := frames.NewBuffer(c.mem, f.N()*len(c.index)*f.H*f.W)
	out := frames.New(c.Channels, f.H, f.W, f.Origins, buffer, nil)
	src, dst := frames.Floats(f.Hi), frames.Floats(out.Hi)
	cells := f.H * f.W
	for n := range f.N() {
		for k, channel := range c.index {
			plane := dst[(n*len(c.index)+k)*cells:][:cells]
			gather(plane, src[n*f.FrameLen():][:f.FrameLen()], channel, len(f.Channels))
			if at := firstNonFinite(plane); at >= 0 {
				out.Release()
				return nil, prep.NonFinite(c.Channels[k], float64(plane[at]), at, f.W)
			}
		}
	}
	return []pipeline.Element{out}, nil
}

// Fold leaves the gathering to a plan.
func (c *channelSelect) Fold(p *prep.Plan) bool {
	p.Stored, p.Select, p.Channels = true, c.index, c.Channels
	return true
}

// Close has nothing to free.
func (c *channelSelect) Close() error { return nil }

// gather copies every stride-th value of src, from channel on.
func gather(dst, src []float32, channel, stride int) {
	for i := range dst {
		dst[i] = src[i*stride+channel]
	}
}

// firstNonFinite is the index of the first NaN or Inf, or -1. x-x is 0 for
// every finite x, so that a sum of them finds out without a branch a value.
func firstNonFinite(values []float32) int {
	var sum float32
	for _, v := range values {
		sum += v - v
	}
	if sum == 0 {
		return -1
	}
	return slices.IndexFunc(values, func(v float32) bool {
		return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0)
	})
}
