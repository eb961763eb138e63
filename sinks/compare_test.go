package sinks

import (
	"strings"
	"testing"

	"fmsr/internal/evaluate"
)

// TestOtherTruth: only a field whose truth the input cannot be an average of is named.
func TestOtherTruth(t *testing.T) {
	nmse := &evaluate.Metric{Name: "nmse"}
	figures := evaluate.Figures{
		Fields: []string{"rho", "Bx", "Bz"},
		Sources: []evaluate.SourceFigures{
			{Source: evaluate.Bilinear, Values: []evaluate.Value{{Metric: nmse, Fields: []evaluate.Figure{0.9, 2.1, 7}, Has: []bool{true, true, false}}}},
			{Source: evaluate.ODEEMA, Values: []evaluate.Value{{Metric: nmse, Fields: []evaluate.Figure{3, 3, 3}, Has: []bool{true, true, true}}}},
		},
	}
	if lines := otherTruth(figures); len(lines) != 1 || !strings.HasPrefix(lines[0], "Bx: the error of the bilinear input is 2.1 times") {
		t.Errorf("%q", lines)
	}
}
