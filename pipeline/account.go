package pipeline

import (
	"sync/atomic"
	"time"

	"fmsr.example/fmsr/internal/display"
)

// tally is one stage's part of the account. The stage's goroutine adds to it, and a display
// may read it at any time.
type tally struct{ elements, busy, waiting atomic.Int64 }

func (t *tally) add(busy, waiting time.Duration) {
	t.busy.Add(int64(busy))
	t.waiting.Add(int64(waiting))
}

func (t *tally) reset() {
	t.elements.Store(0)
	t.busy.Store(0)
	t.waiting.Store(0)
}

// account returns where the time went. A fused stage is part of the stage that did its work.
func account(nodes []*node) (stages []display.Stage) {
	for _, n := range nodes {
		s := display.Stage{
			Name: n.name, Elements: int(n.tally.elements.Load()),
			Busy: time.Duration(n.tally.busy.Load()), Waiting: time.Duration(n.tally.waiting.Load()),
		}
		if n.fusedInto != nil {
			s.In = n.fusedInto.name
		}
		stages = append(stages, s)
	}
	return stages
}
