package pipeline

import "strings"

// Traits are the known properties of the elements between two stages.
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
	Averaged                      // steps whose moving average of the weights is up to date
	Evaluated                     // steps with figures and pictures, where they are due
)

// ofSteps are the traits that only training steps have.
const ofSteps = Steps | Averaged | Evaluated

var traitNames = []struct {
	Traits
	name string
}{
	{Stored, "stored (channels-last)"}, {Planar, "planar"}, {Paired, "paired (x_hi, x_lo)"}, {Normalized, "normalized"},
	{Batched, "batched"}, {Replayed, "replayed"}, {Steps, "training steps"}, {Averaged, "averaged"}, {Evaluated, "evaluated"},
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

// elements names the elements with a trait: "batched frames", "evaluated steps".
func (t Traits) elements() string {
	switch {
	case t == Steps:
		return t.String()
	case t&ofSteps != 0:
		return t.String() + " steps"
	default:
		return t.String() + " frames"
	}
}

// Link is how a stage connects. The stage takes elements with all of Needs and none of
// Refuses, and sends them on with Adds and without Drops. Only a stage that needs Steps
// takes steps.
//
// A stage that makes new frames carries everything on that it does not drop: x_lo (Paired)
// and a coarse run's own frames, where its input has them. Lint refuses a flow in which a
// stage needs what one above it drops. During a run the pipeline checks each stage's frames:
// one that forgot a part of them ends the run with an error that names the stage.
type Link struct {
	Needs, Refuses, Adds, Drops Traits

	Wants     Traits // it works without them, but loses what Without names
	Without   string // "no val/mse_ema, no samples of the averaged weights"
	End       bool   // sends nothing on
	Once      bool   // takes each seed once: run.overfit sends the first seed twice
	Bystander bool   // changes nothing that other stages see: a run may resume with or without it
}

// send returns the traits of the elements that a stage sends, from those of its input.
func (l Link) send(in Traits) Traits { return in&^l.Drops | l.Adds }
