package sinks

import (
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/evaluate"
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

// TestTruthOf: the truth is the file of the input's name; its extension decides between two.
func TestTruthOf(t *testing.T) {
	for _, c := range []struct{ input, found, want, err string }{
		{"in/a.npy", "t/a.npy t/b.npy", "t/a.npy", ""},
		{"in/a.npz", "t/a.npy t/a.npz", "t/a.npz", ""},
		{"in/a.npz", "t/a.npy t/b.npz", "t/a.npy", ""},
		{"in/a.npy", "t/b.npy", "", "no file a.npy there to compare with in/a.npy"},
		{"in/a.npy", "t1/a.npy t2/a.npy", "", "in/a.npy could be compared with t1/a.npy and with t2/a.npy"},
		{"in/a", "t/a.npy t/a.npz", "", "t/a.npy and with t/a.npz"},
	} {
		got, err := truthOf(c.input, strings.Fields(c.found))
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s among %s: %q, %v, want %q, %q", c.input, c.found, got, err, c.want, c.err)
		}
	}
}
