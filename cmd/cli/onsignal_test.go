package cli

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

// TestOnlyInterrupted: a run that also could not save is not run again by itself.
func TestOnlyInterrupted(t *testing.T) {
	stop, full := interrupted{syscall.SIGUSR1}, errors.New("no space left on device")
	for _, c := range []struct {
		err  error
		want bool
	}{
		{stop, true},
		{&runFailed{error: stop}, true},
		{errors.Join(stop, fmt.Errorf("train: %w", stop)), true},
		{errors.Join(stop, full), false},
		{fmt.Errorf("train: %w, %w", stop, full), false},
		{full, false},
	} {
		if got := onlyInterrupted(c.err); got != c.want {
			t.Errorf("onlyInterrupted(%v) is %v, want %v", c.err, got, c.want)
		}
	}
}
