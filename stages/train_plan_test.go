package stages

import (
	"strings"
	"testing"

	"fmsr.example/fmsr/pipeline"
)

func TestAllReducedBytes(t *testing.T) {
	for ranks, want := range map[int]float64{1: 0, 2: 100, 4: 150, 64: 2 * 100 * 63. / 64} {
		if got := allReduced(100, ranks); got != want {
			t.Errorf("%d ranks send %g bytes each to sum 100, want %g", ranks, got, want)
		}
	}
}

// With 1 s of work and 1 s on the wire a step takes 4/3 s at best, since the first third of the
// work has nothing to send yet, and 2 s at worst.
func TestPace(t *testing.T) {
	tr := &train{Train: Train{TotalSteps: 3600}}
	facts := tr.pace(pipeline.Ask{Ranks: 2, StepSeconds: 1, LinkGbit: 8}, 1e9)
	if len(facts) != 1 || !strings.Contains(facts[0].Text, "1800 to 2700 steps/hour") || !strings.Contains(facts[0].Text, "1.33 to 2 hours") || !strings.Contains(facts[0].Text, "efficiency 50 to 75%") {
		t.Errorf("%v", facts)
	}
	if facts := tr.pace(pipeline.Ask{Ranks: 2, LinkGbit: 8}, 1e9); facts != nil {
		t.Errorf("without a step's time: %v", facts)
	}
}
