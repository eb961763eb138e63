// Package display is what a run tells the person who watches it.
//
//	stages --> pipeline.Progress --> Display: Lines (pipes, files), JSON, Quiet
//	                                          or liveview.View (terminals)
package display

import (
	"io"
	"time"
)

// Display shows a run. What is written to it stays: notes, warnings and tables, in whole
// lines. Only one goroutine at a time calls the other methods.
type Display interface {
	io.Writer

	Work(Work)                  // what the run does now
	Part(Work)                  // a part of that, which takes long; zero: none
	Piece(Work)                 // a piece is done of those that the work consists of
	Step(Step)                  // a training step has been taken
	Evaluated(Evaluation)       // the model has been compared with the truth
	Flow(stages func() []Stage) // the flow runs: stages returns where its time has gone so far
	Account(stages []Stage)     // the flow has run
}

// Work is something that takes time.
type Work struct {
	Name        string // "fits normalize"
	Unit        string // of Done and Total: "frames"
	Done, Total int    // Total 0: not known
}

// Step is a training step.
type Step struct {
	N, Stop, Total     int     // number of the step; of the steps where this run stops, and of the whole run
	Loss, GradNorm, LR float64 // means since the last line, and the learning rate
	Last               float64 // loss of this step alone
	FramesPerSecond    float64

	Rate float64       // steps a second since the last line, without evaluations
	Left time.Duration // until Stop, evaluations included
	Due  bool          // a plain line is due
}

// Evaluation is a comparison of the model's samples with the truth.
type Evaluation struct {
	Step, Frames int
	Seconds      float64
	Headline     []Figure // one a source
	Error        float64  // of the model, over the bilinear input's; 0: not known
	Verdict      string   // a sentence; empty: there is none
}

// Figure is a number with the name that it has in the logs.
type Figure struct {
	Name  string
	Value float64
}

// Stage is a stage's part of the time that a flow took.
type Stage struct {
	Name          string
	In            string // the stage that did its work; empty: itself
	Elements      int
	Busy, Waiting time.Duration
}

// On returns the Display that out is, or plain lines on out.
func On(out io.Writer) Display {
	if d, ok := out.(Display); ok {
		return d
	}
	return Lines{Writer: out}
}
