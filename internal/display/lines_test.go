package display

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
	var got writes
	Lines{&got, true}.Account([]Stage{{Name: "load", Elements: 3, Busy: 3 * time.Second}, {Name: "pool", In: "load"}, {Name: "sink", Busy: time.Second}})
	want := `  stage  elements    busy  waiting  of all work
   load         3  3.00 s   0.00 s          75%
   pool                                 in load
   sink         0  1.00 s   0.00 s          25%
`
	if len(got) != 1 || got[0] != want {
		t.Errorf("writes %q, want %q at once: another rank's line would stand between", got, want)
	}
}

// TestEvaluatedLine: an evaluation is one line of its headline.
func TestEvaluatedLine(t *testing.T) {
	var got writes
	Lines{&got, false}.Evaluated(Evaluation{Step: 200, Frames: 8, Seconds: 1.25, Headline: []Figure{{"val/mse", 0.12345678}, {"val/mse_lo", 0.5}}})
	if want := "eval at step 200, 8 frames (1.2 s):  val/mse 0.1235  val/mse_lo 0.5\n"; len(got) != 1 || got[0] != want {
		t.Errorf("writes %q, want %q", got, want)
	}
}
