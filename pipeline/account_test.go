package pipeline

import (
	"testing"
	"time"
)

// writes keeps what each call of Write was given.
type writes []string

func (w *writes) Write(text []byte) (int, error) {
	*w = append(*w, string(text))
	return len(text), nil
}

func TestAccountIsOneWrite(t *testing.T) {
	load := &node{name: "load", tally: tally{elements: 3, busy: 3 * time.Second}}
	var got writes
	writeAccount(&got, []*node{load, {name: "pool", fusedInto: load}, {name: "sink", tally: tally{busy: time.Second}}})
	want := `  stage  elements    busy  waiting  of all work
   load         3  3.00 s   0.00 s          75%
   pool                                 in load
   sink         0  1.00 s   0.00 s          25%
`
	if len(got) != 1 || got[0] != want {
		t.Errorf("writes %q, want %q at once: another rank's line would stand between", got, want)
	}
}
