package pipeline

import (
	"strings"
	"sync"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/display"
)

// TestProgressWithoutEvaluations: of 20 s with 4 steps, 12 went to evaluations.
func TestProgressWithoutEvaluations(t *testing.T) {
	var out strings.Builder
	p := NewProgress(&out)
	p.Start(0, 4)
	p.began, p.lastAt = p.began.Add(-20*time.Second), p.lastAt.Add(-20*time.Second)
	p.Aside(12 * time.Second)
	p.Step(display.Step{N: 4, Stop: 10, Total: 10, Loss: 0.5, GradNorm: 2, LR: 1e-3, FramesPerSecond: 1})
	if got, want := out.String(), "step 4/10  loss 0.5  grad norm 2  lr 0.001  1 frames/s  2.00 s/step  eta 30s\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// TestNotesAtOnce: stages on goroutines of their own lose no line of one another's.
func TestNotesAtOnce(t *testing.T) {
	var out strings.Builder
	p := NewProgress(&out)
	var stages sync.WaitGroup
	for range 4 {
		stages.Go(func() {
			for range 100 {
				p.Note("a line")
			}
		})
	}
	stages.Wait()
	if got := strings.Count(out.String(), "a line\n"); got != 400 {
		t.Errorf("%d lines, want 400", got)
	}
}
