package cli

import (
	"testing"

	"fmsr.example/fmsr/internal/ranks"
	"fmsr.example/fmsr/pipeline"
)

// TestStatusOfPeer: a rank that ends because of another one has its exit status, whatever it
// was doing itself.
func TestStatusOfPeer(t *testing.T) {
	for input, want := range map[bool]int{true: exitInput, false: exitFailed} {
		peer := &ranks.PeerError{Failure: ranks.Failure{Rank: 1, Input: input}, Reports: true}
		for _, err := range []error{peer, &pipeline.InputError{Err: peer}} {
			if got := exitStatus(&runFailed{error: rankError(0, err)}); got != want {
				t.Errorf("%T of a rank whose input is at fault (%v): exit status %d, want %d", err, input, got, want)
			}
		}
	}
}
