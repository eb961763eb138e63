package pipeline

import (
	"strings"
	"testing"
)

func TestUnits(t *testing.T) {
	for units, want := range map[string]string{
		"":                     "code units, code units",
		"G":                    "G, G",
		"Bx=G":                 "G, ",
		"code units, Bx=4 B_0": "4 B_0, code units",
	} {
		run := defaultRun()
		run.Name = "first"
		if units != "" {
			run.Units = strings.Split(units, ", ")
		}
		run.Validate(&run, func(key, format string, _ ...any) { t.Errorf("units %q: %s %s", units, key, format) })
		if got := run.Unit("Bx") + ", " + run.Unit("velx"); got != want {
			t.Errorf("units %q: Bx and velx are in %q, want %q", units, got, want)
		}
	}
	for _, units := range []string{"G, T", "Bx=G, Bx=T", "=G"} {
		run := defaultRun()
		run.Name = "first"
		run.Units = strings.Split(units, ", ")
		told := ""
		run.Validate(&run, func(key, _ string, _ ...any) { told = key })
		if told != "units" {
			t.Errorf("units %q are accepted", units)
		}
	}
}
