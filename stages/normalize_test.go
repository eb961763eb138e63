package stages

import (
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
)

// TestNormalizeSays what a field has not enough of to learn from.
func TestNormalizeSays(t *testing.T) {
	for want, w := range map[string]field.Welford{
		"": {Count: 1, Mean: 1, M2: 1e-6},
		"field f is constant in the training frames: 0":                                   {Count: 9},
		"field f is constant in the training frames: 1.5e-24":                             {Count: 9, Mean: 1.5e-24},
		"field f is 100000 +- 0.01 in the training frames, where float32 numbers are 0.0": {Count: 1, Mean: 1e5, M2: 1e-4},
		"0.6 digits of its variation are left":                                            {Count: 1, Mean: -1e5, M2: 1e-4},
	} {
		if got := judge("f", w); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%+v: %q, want %q", w, got, want)
		}
	}
}
