// Package liveview shows a run on a terminal while it goes on.
//
//	display.Display --events--> View: state --lines--> screen --> Bubble Tea --> the terminal
//	a run's folder  --files---> watch --------lines--> screen
//
//	state.go   what a run has told, and the frame that says it
//	series.go  curves, and their sparklines
//	look.go    colours, bars and widths
//	screen.go  the frame on the terminal, below the lines that stay
package liveview

import (
	"fmt"
	"os"
	"sync"
	"time"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/hostmem"
	"fmsr.example/fmsr/internal/terminal"
)

// View is a Display on a terminal. Its methods may be called at the same time.
type View struct {
	*screen

	mu      sync.Mutex
	state   state
	account []display.Stage
	flow    func() []display.Stage // nil: the flow does not run
	memory  func() int64           // bytes that the run holds
	polled  time.Time              // when the flow and the memory were looked at
}

// Start shows a run under its name on a terminal, until End.
func Start(screen *os.File, name string) *View {
	v := &View{state: state{name: name, began: time.Now(), workAt: time.Now()}, memory: hostmem.Resident}
	v.screen = start(screen, v.lines)
	return v
}

// pollEvery is how often the flow and the memory are looked at.
const pollEvery = time.Second

// lines returns the frame.
func (v *View) lines(look look, width, _ int) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	if now.Sub(v.polled) >= pollEvery {
		v.polled = now
		if v.flow != nil {
			v.state.stages = v.flow()
		}
		v.state.resident = v.memory()
		v.state.limit = v.state.resident + hostmem.Left()
	}
	return v.state.lines(look, width, now)
}

// update changes the state.
func (v *View) update(change func(s *state)) {
	v.mu.Lock()
	change(&v.state)
	v.mu.Unlock()
	v.change()
}

// Work shows what the run does now.
func (v *View) Work(w display.Work) {
	v.update(func(s *state) { s.doWork(w, time.Now()) })
}

// Part shows a part of that.
func (v *View) Part(w display.Work) {
	v.update(func(s *state) { s.doPart(w, time.Now()) })
}

// Piece shows nothing: Work has the number of frames.
func (v *View) Piece(display.Work) {}

// Step shows a training step.
func (v *View) Step(step display.Step) { v.update(func(s *state) { s.took(step, time.Now()) }) }

// Evaluated shows an evaluation.
func (v *View) Evaluated(e display.Evaluation) { v.update(func(s *state) { s.evaluated(e) }) }

// Flow lets the view look at where the flow's time goes.
func (v *View) Flow(stages func() []display.Stage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.flow = stages
}

// Memory lets the view ask how many bytes the run holds, where that is not this process's.
func (v *View) Memory(resident func() int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.memory = resident
}

// Account keeps where the time went, for the end.
func (v *View) Account(stages []display.Stage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.account = stages
}

// Stopping shows that the run ends early, and why.
func (v *View) Stopping(why string) { v.update(func(s *state) { s.stopping = why }) }

// End takes the view away. After a run that has succeeded, it says what came out, where it
// is and what commands to try next. Lines are plain from then on.
func (v *View) End(err error, dir string, next ...string) {
	v.end()
	if err != nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, line := range v.state.ending(newLook(), max(minWidth, v.width), v.account, time.Now()) {
		v.last(line)
	}
	v.last(titled.Render(head("results")) + terminal.Line(dir)) // the terminal wraps these, so that they can be copied
	name := "next"
	for _, command := range next {
		v.last(titled.Render(head(name)) + terminal.Line(command))
		name = ""
	}
}

// last prints a line of the end.
func (v *View) last(line string) { fmt.Fprintln(v.file, v.paint(line)) }
