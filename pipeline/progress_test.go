package pipeline

import (
	"strings"
	"testing"
	"time"
)

// TestProgressWithoutEvaluations: of 20 s with 4 steps, 12 went to evaluations.
func TestProgressWithoutEvaluations(t *testing.T) {
	var out strings.Builder
	p := NewProgress(&out)
	p.Start(0, 10, 4)
	p.began, p.lastAt = p.began.Add(-20*time.Second), p.lastAt.Add(-20*time.Second)
	p.Aside(12 * time.Second)
	p.Step(4, 10, 10, "loss 0.5")
	if got, want := out.String(), "step 4/10  loss 0.5  2.00 s/step  eta 30s\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}
