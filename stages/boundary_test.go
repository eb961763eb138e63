package stages

import (
	"fmt"
	"strings"
	"testing"

	"fmsr.example/fmsr/pipeline"
)

// TestOneBoundary: run.grid.boundary, where a spec writes it, sets every key about boundaries
// that the spec does not write. Without it, they are the original's.
func TestOneBoundary(t *testing.T) {
	for name, c := range map[string]struct{ grid, pool, train, want, warns string }{
		"nothing written":  {"", "", "", "clamp zeros", ""},
		"periodic":         {"periodic, periodic", "", "", "periodic periodic", ""},
		"open":             {"open, open", "", "", "clamp zeros", ""},
		"open along one":   {"periodic, open", "", "", "clamp zeros", ""},
		"keys are written": {"periodic, periodic", "boundary: clamp", "padding: open", "clamp open", ""},
		"one is written":   {"periodic, periodic", "boundary: open", "", "open periodic", ""},
		"the old way":      {"", "boundary: periodic", "padding: periodic", "periodic periodic", ""},
		"contradiction":    {"open, periodic", "boundary: periodic", "padding: periodic", "periodic periodic", "flow[3].pool_upsample.boundary: is periodic, but run.grid.boundary is [open periodic]|flow[6].train.padding: is periodic"},
	} {
		t.Run(name, func(t *testing.T) {
			grid := ""
			if c.grid != "" {
				grid = fmt.Sprintf(", grid: {boundary: [%s]}", c.grid)
			}
			s, err := pipeline.Parse("s.yaml", fmt.Appendf(nil, `version: 1
run: {overfit: false%s}
flow:
  - npy_load: {root: data}
  - channel_select:
  - arrow_cache:
  - pool_upsample: {%s}
  - normalize:
  - batch:
  - train: {%s}
  - ema:
`, grid, c.pool, c.train), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Flow[3].Config.(*PoolUpsample).Boundary + " " + s.Flow[6].Config.(*Train).Padding; got != c.want {
				t.Errorf("pool_upsample.boundary and train.padding are %s, want %s", got, c.want)
			}
			warnings := strings.Split(s.Warnings.Error(), "\n")
			for i, want := range strings.Split(c.warns, "|") {
				if c.warns == "" && s.Warnings != nil || !strings.Contains(warnings[min(i, len(warnings)-1)], want) {
					t.Errorf("warnings %q, want %q", warnings, c.warns)
				}
			}
			again, err := pipeline.Parse("again.yaml", s.YAML(), nil) // writes every key
			if err != nil || string(again.YAML()) != string(s.YAML()) {
				t.Errorf("the resolved spec is another: %v\n%s", err, again.YAML())
			}
		})
	}
}
