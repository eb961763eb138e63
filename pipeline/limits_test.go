package pipeline

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestTooMuch: hostile specs are refused at once, long ones are not.
func TestTooMuch(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"brackets":  {strings.Repeat("[", 100_000), `s.yaml:1:65: nested more than 64 deep`},
		"lines":     {strings.Repeat("{a:\n", 100_000), `s.yaml:65:1: nested more than 64 deep`},
		"dashes":    {strings.Repeat("- ", 100_000), `s.yaml:1:129: nested more than 64 deep`},
		"keys":      {strings.Repeat("a: ", 100_000), `s.yaml:1:194: nested more than 64 deep`},
		"questions": {strings.Repeat("? ", 100_000), `s.yaml:1:129: nested more than 64 deep`},
		"anchors":   {strings.Repeat("&a ", 100_000), `s.yaml:1:1: anchor is not used in specs`},
		"tags":      {strings.Repeat("!a\n", 100_000), `s.yaml:1:1: tag is not used in specs`},
		"size":      {strings.Repeat("# x\n", 300_000), `s.yaml: is 1200000 bytes long: a spec has at most 1048576`},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			wantDiagnostics(t, c.yaml, nil, c.want)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
	t.Run("long", func(t *testing.T) {
		wantDiagnostics(t, source("      levels: ["+strings.Repeat("7, ", 50_000)+"7]\n"), nil)
		var split []string
		for i := range 1000 {
			split = append(split, fmt.Sprintf("s%d: %d", i, i))
		}
		wantDiagnostics(t, source("      split: {"+strings.Join(split, ", ")+"}\n"), nil)
		wantDiagnostics(t, source("      levels:\n"+strings.Repeat("        - 7\n", 50_000)), nil)
	})
}
