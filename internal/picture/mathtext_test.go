package picture

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/plot/text"
)

func TestRuns(t *testing.T) {
	for line, want := range map[string][]run{
		"":            nil,
		"B [G]":       {{"B [G]", false}},
		"10^{-3}":     {{"10", false}, {"-3", true}},
		"m^{2}s^{-1}": {{"m", false}, {"2", true}, {"s", false}, {"-1", true}},
		"10^{-3":      {{"10^{-3", false}},
		"x^2":         {{"x^2", false}},
	} {
		if d := cmp.Diff(want, runs(line), cmp.AllowUnexported(run{})); d != "" {
			t.Errorf("%q: %s", line, d)
		}
	}
}

// TestTextIsLegible checks that no text is smaller than 11 px.
func TestTextIsLegible(t *testing.T) {
	for name, size := range map[string]float64{"title": titleSize, "label": labelSize, "tick": tickSize, "exponent": tickSize * raisedSize} {
		if size < 11 {
			t.Errorf("%s: %g px", name, size)
		}
	}
}

// TestTextWidth checks that an exponent is narrower than the same digits on the line,
// and that the markup itself has no width.
func TestTextWidth(t *testing.T) {
	style := textStyle(20, text.XLeft, text.YBottom)
	raised, flat, base := style.Width("10^{88}"), style.Width("1088"), style.Width("10")
	if got, want := float64((raised-base)/(flat-base)), raisedSize; got < want-0.05 || got > want+0.05 {
		t.Errorf("exponent is %g as wide as on the line, want %g", got, want)
	}
}
