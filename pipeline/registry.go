package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// Traits are what is known of the elements on a link.
type Traits uint16

// The traits.
const (
	Stored     Traits = 1 << iota // channels last, as in the file
	Planar                        // (N,C,H,W)
	Paired                        // x_lo beside x_hi
	Normalized                    // in units of the training split's deviation
	Batched                       // joined into batches
	Replayed                      // from a store that can be read again and again
	Steps                         // training steps instead of frames
)

var traitNames = []struct {
	Traits
	name string
}{
	{Stored, "stored (channels-last)"}, {Planar, "planar"}, {Paired, "paired (x_hi, x_lo)"}, {Normalized, "normalized"},
	{Batched, "batched"}, {Replayed, "replayed"}, {Steps, "training steps"},
}

func (t Traits) String() string {
	var names []string
	for _, n := range traitNames {
		if t&n.Traits != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ", ")
}

// Link says how a stage connects: it wants elements with all of Needs and sends
// them on with Adds and without Drops. Only a stage that needs Steps takes them.
type Link struct {
	Needs, Adds, Drops Traits
	Source             bool // starts a flow
	Store              bool // keeps what reaches it and replays it
	Bystander          bool // changes nothing that others see: a run may go on with or without it
}

func (l Link) send(in Traits) Traits { return in&^l.Drops | l.Adds }

// registry is the stages by name: the only global state.
var registry = map[string]Declaration{}

// Register makes a stage known. It panics on what is a programmer's error: a
// second stage of that name, or a config that cannot be read from a spec.
func Register(d Declaration) {
	if _, ok := registry[d.Name]; ok {
		panic("pipeline: stage " + d.Name + " registered twice")
	}
	if err := checkConfig(d.Config()); err != nil {
		panic(fmt.Sprintf("pipeline: stage %s: %v", d.Name, err))
	}
	registry[d.Name] = d
}

// Lookup finds a stage by name.
func Lookup(name string) (Declaration, bool) {
	d, ok := registry[name]
	return d, ok
}

// Declarations are all stages, by name.
func Declarations() []Declaration {
	var ds []Declaration
	for _, d := range registry {
		ds = append(ds, d)
	}
	slices.SortFunc(ds, func(a, b Declaration) int { return strings.Compare(a.Name, b.Name) })
	return ds
}
