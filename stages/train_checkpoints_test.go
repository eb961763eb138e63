package stages

import (
	"reflect"
	"testing"

	"fmsr.example/fmsr/pipeline"
)

// TestDue: a step that was skipped leaves its checkpoint, and its place among those that are
// kept for good, to the next.
func TestDue(t *testing.T) {
	for _, c := range []struct {
		name           string
		every, keep    int
		skipped        map[int]bool
		due, keptSteps []int
	}{
		{"by number", 3, 0, nil, []int{3, 6, 9}, nil},
		{"kept for good", 3, 4, nil, []int{3, 4, 6, 8, 9}, []int{4, 8}},
		{"skipped", 3, 4, map[int]bool{4: true, 6: true, 7: true}, []int{3, 5, 8, 9}, []int{5, 8}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var due, kept []int
			all := checkpoints{run: &pipeline.Run{CheckpointEvery: c.every, KeepEvery: c.keep}}
			for step := range 10 {
				if !all.due(step) || c.skipped[step] {
					continue
				}
				due = append(due, step)
				if all.forGood(step) {
					kept = append(kept, step)
				}
				all.passed = step
			}
			if !reflect.DeepEqual(due, c.due) || !reflect.DeepEqual(kept, c.keptSteps) {
				t.Errorf("due %v, kept for good %v, want %v, %v", due, kept, c.due, c.keptSteps)
			}
		})
	}
}
