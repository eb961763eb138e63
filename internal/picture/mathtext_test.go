package picture

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/plot/text"
)

func TestRuns(t *testing.T) {
	for line, want := range map[string][]run{
		"":            nil,
		"B [G]":       {{"B [G]", 0}},
		"10^{-3}":     {{"10", 0}, {"-3", raisedBy}},
		"m^{2}s^{-1}": {{"m", 0}, {"2", raisedBy}, {"s", 0}, {"-1", raisedBy}},
		"P_{truth}":   {{"P", 0}, {"truth", -loweredBy}},
		"10^{-3":      {{"10^{-3", 0}},
		"x^2_a":       {{"x^2_a", 0}},
		"a^b^{2}":     {{"a^b", 0}, {"2", raisedBy}},
	} {
		if d := cmp.Diff(want, runs(line), cmp.AllowUnexported(run{})); d != "" {
			t.Errorf("%q: %s", line, d)
		}
	}
}

// TestTextIsLegible checks that no text is smaller than 11 px.
func TestTextIsLegible(t *testing.T) {
	for name, size := range map[string]float64{"title": titleSize, "label": labelSize, "tick": tickSize, "exponent": tickSize * smallSize} {
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
	if got, want := float64((raised-base)/(flat-base)), smallSize; got < want-0.05 || got > want+0.05 {
		t.Errorf("exponent is %g as wide as on the line, want %g", got, want)
	}
}
