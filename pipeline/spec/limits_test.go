package spec

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
		"size":      {strings.Repeat("# x\n", 600_000), `s.yaml:1:1: is 2400000 bytes long: a spec has at most 2097152`},
		"many keys": {strings.Repeat("a:\n", 100_000), `s.yaml:2001:2: has more than 2000 keys`},
		"commas":    {"[" + strings.Repeat(",", 200_000), `s.yaml:1:2: expected sequence element, but found ','`},
		"stages":    {"version: 1\nflow: [" + strings.Repeat("a,", 20_000) + "]", `s.yaml:2:1: flow: has 20000 stages: want at most 100`},
		"ranges":    {source("      levels: [" + strings.Repeat("0-9999,", 20_000) + "]\n"), `s.yaml:4:58: flow[0].sample_source.levels[6]: the lists of the spec have more than 65536 items`},
		"a range":   {source("      levels: 0-2000000000\n"), `s.yaml:4:15: flow[0].sample_source.levels[0]: the lists of the spec have more than 65536 items`},
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
