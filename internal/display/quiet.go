package display

import (
	"io"
	"strings"
)

// Quiet shows warnings alone.
type Quiet struct{ To io.Writer }

// Write passes the lines on that warn.
func (q Quiet) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		if !warns(line) {
			continue
		}
		if _, err := io.WriteString(q.To, line); err != nil {
			return 0, err
		}
	}
	return len(text), nil
}

// warns reports whether a line is a warning: its own, or of a place in a spec.
func warns(line string) bool {
	return strings.HasPrefix(line, warning) || strings.Contains(line, ": "+warning)
}

const warning = "warning: "

// Work shows nothing.
func (Quiet) Work(Work) {}

// Part shows nothing.
func (Quiet) Part(Work) {}

// Piece shows nothing.
func (Quiet) Piece(Work) {}

// Step shows nothing.
func (Quiet) Step(Step) {}

// Evaluated shows nothing.
func (Quiet) Evaluated(Evaluation) {}

// Flow shows nothing.
func (Quiet) Flow(func() []Stage) {}

// Account shows nothing.
func (Quiet) Account([]Stage) {}
