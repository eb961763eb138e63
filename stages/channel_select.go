package stages

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/field/plan"
	"fmsr.example/fmsr/pipeline"
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

Every kept value is checked: a NaN or Inf ends the run with an error that names the
seed, frame and field.`,
		Link:    pipeline.Link{Needs: pipeline.Stored, Adds: pipeline.Planar, Drops: pipeline.Stored},
		Default: ChannelSelect{Channels: []string{"velx"}},
		New:     func(c *ChannelSelect) pipeline.Stage { return &channelSelect{ChannelSelect: *c} },
	})
}

var _ pipeline.Processor = (*channelSelect)(nil)

// Validate reports repeated names and an empty list.
func (c *ChannelSelect) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if len(c.Channels) == 0 {
		report("channels", "is empty: name fields, or all")
	}
	if err := dataset.CheckNames(c.Channels); err != nil {
		report("channels", "%v", err)
	}
}

// AdviseFlow warns of fields that npy_load does not name.
func (c *ChannelSelect) AdviseFlow(above []any, warn func(key, summary, detail string)) {
	load, ok := above[len(above)-1].(*NpyLoad)
	if !ok || slices.Equal(c.Channels, []string{"all"}) {
		return
	}
	for _, name := range c.Channels {
		if !slices.Contains(load.Fields, name) {
			warn("channels", fmt.Sprintf("names %s, which npy_load.fields does not: it has %s", name, strings.Join(load.Fields, ", ")), "name the file's fields there, in their order")
		}
	}
}

type channelSelect struct {
	ChannelSelect
	index []int // in the file, of each kept channel
	mem   memory.Allocator
}

// Open finds the channels among the input's.
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
	return in, in.Lossy.Check(c.Channels)
}

// Process selects the channels of the frames.
func (c *channelSelect) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	return applied(c, c.mem, in)
}

// Fold adds the selection to a plan.
func (c *channelSelect) Fold(p *plan.Plan) bool {
	p.Stored, p.Select, p.Channels = true, c.index, c.Channels
	return true
}

// Close has nothing to free.
func (c *channelSelect) Close() error { return nil }
