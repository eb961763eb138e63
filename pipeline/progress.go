package pipeline

import (
	"fmt"
	"io"
	"sync"
	"time"

	"fmsr.example/fmsr/internal/display"
)

// Progress shows how far a run has come, on a display. Stages, each on a goroutine of its
// own, may use it at the same time.
type Progress struct {
	mu sync.Mutex

	to    display.Display
	every int // steps between plain lines

	began   time.Time
	first   int
	lastAt  time.Time
	last    int
	started bool
	stages  func() []display.Stage // nil: no flow runs
}

// NewProgress returns a Progress that shows on out, in plain lines unless out is a
// display.Display.
func NewProgress(out io.Writer) *Progress { return &Progress{to: display.On(out), every: 100} }

// Start begins to count, for a run that has done n of its steps. Plain lines are `every`
// steps apart.
func (p *Progress) Start(n, every int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start(n, every)
}

func (p *Progress) start(n, every int) {
	p.every = max(1, every)
	p.began, p.lastAt = time.Now(), time.Now()
	p.first, p.last = n, n
	p.started = true
}

// Step shows a training step. It fills in the rate and the time that is left.
func (p *Progress) Step(s display.Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.started {
		p.start(s.N-1, p.every)
	}
	s.Due = s.N%p.every == 0 || s.N == s.Stop || s.N == p.first+1
	s.Rate = float64(s.N-p.last) / time.Since(p.lastAt).Seconds()
	if s.N == p.last {
		s.Rate = float64(s.N-p.first) / time.Since(p.began).Seconds()
	}
	s.Left = time.Since(p.began) / time.Duration(max(1, s.N-p.first)) * time.Duration(s.Stop-s.N)
	p.to.Step(s)
	if s.Due {
		p.last, p.lastAt = s.N, time.Now()
	}
}

// Aside leaves the time of an evaluation out of the rate. The estimate of the time
// that is left still includes it.
func (p *Progress) Aside(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastAt = p.lastAt.Add(d)
}

// Note writes a line, which stays.
func (p *Progress) Note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.to, format+"\n", args...)
}

// Work says what the run does now, and how much of it is done.
func (p *Progress) Work(w display.Work) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to.Work(w)
}

// Part says how much is done of a part of that; zero: it has ended.
func (p *Progress) Part(w display.Work) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to.Part(w)
}

// Piece says that a piece is done of those that the run's work consists of.
func (p *Progress) Piece(w display.Work) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to.Piece(w)
}

// Evaluated shows an evaluation.
func (p *Progress) Evaluated(e display.Evaluation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to.Evaluated(e)
}

// flow shows where the time of the flow goes while it runs.
func (p *Progress) flow(nodes []*node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stages = func() []display.Stage { return account(nodes) }
	p.to.Flow(p.stages)
}

// Stages returns where the time of the flow has gone so far.
func (p *Progress) Stages() []display.Stage {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stages == nil {
		return nil
	}
	return p.stages()
}

// account shows where the time of the flow went.
func (p *Progress) account(nodes []*node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to.Account(account(nodes))
}
