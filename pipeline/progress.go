package pipeline

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"fmsr/internal/terminal"
)

// Progress shows how far a run has come: as a bar on a terminal, otherwise as plain
// lines. Stages, each on a goroutine of its own, may use it at the same time.
type Progress struct {
	mu sync.Mutex

	out   io.Writer
	every int // steps between plain lines
	bar   *progressbar.ProgressBar

	began   time.Time
	first   int
	lastAt  time.Time
	last    int
	started bool
}

// NewProgress returns a Progress that writes to out, a bar if out is a terminal.Writer to
// a terminal.
func NewProgress(out io.Writer) *Progress {
	p := &Progress{out: out, every: 100}
	if w, ok := out.(*terminal.Writer); ok && w.Screen() != nil {
		p.bar = progressbar.NewOptions(0, progressbar.OptionSetWriter(w.Screen()), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetWidth(24), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(false))
	}
	return p
}

// Start begins to count, for a run that has done n of total steps. Plain lines are
// `every` steps apart.
func (p *Progress) Start(n, total, every int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start(n, total, every)
}

func (p *Progress) start(n, total, every int) {
	p.every = max(1, every)
	p.began, p.lastAt = time.Now(), time.Now()
	p.first, p.last = n, n
	p.started = true
	if p.bar != nil {
		p.bar.ChangeMax(total)
	}
}

// Step shows step n of total, and a text about it. The run stops at step stop.
func (p *Progress) Step(n, stop, total int, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.started {
		p.start(n-1, total, p.every)
	}
	due := n%p.every == 0 || n == stop || n == p.first+1
	if p.bar == nil && !due {
		return
	}
	line := fmt.Sprintf("step %d/%d  %s  %s  eta %s", n, total, what, p.rate(n), p.eta(n, stop))
	if p.bar != nil {
		p.bar.Describe(line)
		_ = p.bar.Set(n) // a bar that can't be drawn must not end a run
	} else {
		fmt.Fprintln(p.out, line)
	}
	if due {
		p.last, p.lastAt = n, time.Now()
	}
}

// Aside leaves the time of an evaluation out of the rate. The estimate of the time
// that is left still includes it.
func (p *Progress) Aside(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastAt = p.lastAt.Add(d)
}

// rate returns the rate since the last line, in steps/s or s/step, whichever reads
// better.
func (p *Progress) rate(n int) string {
	rate := float64(n-p.last) / time.Since(p.lastAt).Seconds()
	if n == p.last {
		rate = float64(n-p.first) / time.Since(p.began).Seconds()
	}
	if rate < 1 {
		return fmt.Sprintf("%.2f s/step", 1/rate)
	}
	return fmt.Sprintf("%.1f steps/s", rate)
}

func (p *Progress) eta(n, stop int) string {
	each := time.Since(p.began) / time.Duration(max(1, n-p.first))
	return (each * time.Duration(stop-n)).Round(time.Second).String()
}

// Note writes a line, above the bar if there is one.
func (p *Progress) Note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintf(p.out, format+"\n", args...)
}

// Done ends the bar.
func (p *Progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
