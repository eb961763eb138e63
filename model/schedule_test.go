package model

import (
	"math"
	"testing"
)

// TestSchedules: after the warm-up of 10 steps of 110, lr is constant, half a cosine or a
// line, from lr in step 11 to nearly nothing in the last step.
func TestSchedules(t *testing.T) {
	for schedule, want := range map[string]map[int]float64{
		"":         {5: 0.5, 10: 1, 11: 1, 110: 1},
		"constant": {5: 0.5, 10: 1, 11: 1, 110: 1},
		"linear":   {5: 0.5, 10: 1, 11: 1, 36: 0.75, 61: 0.5, 110: 0.01},
		"cosine":   {5: 0.5, 10: 1, 11: 1, 36: 0.5 + math.Sqrt(0.125), 61: 0.5, 110: (1 + math.Cos(0.99*math.Pi)) / 2},
	} {
		h := Hyper{LR: 2, WarmupSteps: 10, TotalSteps: 110, Schedule: schedule}
		for step, share := range want {
			if lr := h.LRAt(step); math.Abs(lr-2*share) > 1e-15 {
				t.Errorf("%s, step %d: lr %g, want %g", schedule, step, lr, 2*share)
			}
		}
	}
}
