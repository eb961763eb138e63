package cli

import (
	"fmt"
	"strings"
	"testing"
)

// TestHeldLines: lines of other ranks wait for the end of rank 0, and none is lost.
func TestHeldLines(t *testing.T) {
	var out strings.Builder
	h := &heldLines{to: &out}
	fmt.Fprintln(h, "rank 1: early")
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
	h.release()
	fmt.Fprintln(h, "rank 1: late")
	h.release()
	if got := out.String(); got != "rank 1: early\nrank 1: late\n" {
		t.Errorf("%q", got)
	}
}
