package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

// sampleConfig has keys that its fields' tags check, and one that Validate does.
type sampleConfig struct {
	Count int              `yaml:"count" min:"0" flag:"sample-count" doc:"a whole number"`
	Names []string         `yaml:"names" doc:"a list of names"`
	Split map[string][]int `yaml:"split" doc:"lists by name"`
	Part  string           `yaml:"part" doc:"text"`
}

func (c *sampleConfig) Validate(_ *Run, report func(key, format string, args ...any)) {
	if c.Part == "bad" {
		report("part", "is bad")
	}
}

func (c *sampleConfig) Advise(run *Run, warn func(key, summary, detail string)) {
	if c.Count > 100 {
		warn("count", "is large", "take less")
	}
}

// sampleStage is a stage that none of these tests runs.
type sampleStage struct{}

func (sampleStage) Open(context.Context, *Env, Meta) (Meta, error) {
	return Meta{}, errors.New("not run")
}
func (sampleStage) Close() error { return nil }

type sampleSource struct{ sampleStage }

func (sampleSource) Emit(context.Context, Pass, func(Element) error) error { return nil }

type sampleProcessor struct{ sampleStage }

func (sampleProcessor) Process(context.Context, Element) ([]Element, error) { return nil, nil }

type sampleStore struct{ sampleSource }

func (sampleStore) Ready(context.Context, string) (bool, error) { return false, nil }
func (sampleStore) Write(context.Context, Element) error        { return nil }
func (sampleStore) Commit(context.Context) error                { return nil }
func (sampleStore) Abort()                                      {}

type none = struct{}

func init() {
	Register(Declaration[sampleConfig]{Name: "sample_source", Doc: "For tests.", Link: Link{Adds: Planar},
		Default: sampleConfig{Count: 1, Names: []string{"x"}}, New: func(*sampleConfig) Stage { return sampleSource{} }})
	Register(Declaration[warnConfig]{Name: "sample_warn", Doc: "For tests.", Link: Link{Needs: Planar}, New: func(*warnConfig) Stage { return sampleProcessor{} }})
	Register(Declaration[none]{Name: "sample_store", Doc: "For tests.", Link: Link{Adds: Replayed}, New: func(*none) Stage { return sampleStore{} }})
	for name, link := range map[string]Link{
		"sample_sink":    {Needs: Planar},
		"sample_change":  {Needs: Planar, Adds: Stored, Drops: Planar},
		"sample_after":   {Needs: Steps},
		"sample_steps":   {Needs: Batched, Adds: Steps},
		"sample_batch":   {Needs: Planar, Adds: Batched},
		"sample_average": {Needs: Steps, Refuses: Averaged | Evaluated, Adds: Averaged},
		"sample_judge":   {Needs: Steps, Adds: Evaluated, Wants: Averaged, Without: "no averaged figures"},
		"sample_log":     {Needs: Steps | Evaluated, Bystander: true},
		"sample_end":     {Needs: Planar, End: true},
		"sample_once":    {Needs: Planar, Once: true},
	} {
		Register(Declaration[none]{Name: name, Doc: "For tests.", Link: link, New: func(*none) Stage { return sampleProcessor{} }})
	}
}

// warnConfig is a config that is unwise below a sample_source of many.
type warnConfig struct {
	Key int `yaml:"key" doc:"a whole number"`
}

func (*warnConfig) AdviseFlow(above []any, warn func(key, summary, detail string)) {
	if n := above[0].(*sampleConfig).Count; n > 2 {
		warn("key", fmt.Sprintf("is below a count of %d", n), "take less")
	}
}

// source is a flow of a sample_source with those keys.
func source(keys string) string {
	return "version: 1\nflow:\n  - sample_source:\n" + keys
}

func TestDiagnostics(t *testing.T) {
	for name, c := range map[string]struct {
		yaml string
		want []string
	}{
		"a stage's own": {source("      part: bad\n"), []string{`s.yaml:4:13: flow[0].sample_source.part: is bad`}},
		"no such":       {"version: 1\nflow:\n  - sample_sorce:\n", []string{`s.yaml:3:5: flow[0].sample_sorce: no such stage (did you mean "sample_source"?)`}},
		"keys and links at once": {"version: 1\nflow:\n  - sample_source: {cuont: 2}\n  - sample_steps:\n", []string{
			`s.yaml:3:21: flow[0].sample_source.cuont: unknown key (did you mean "count"?)`,
			`s.yaml:4:5: flow[1].sample_steps: needs batched frames: put sample_batch above it`}},
		"run": {"version: 1\nrun: {name: .., device: tpu, threads: -1, max_steps: -1, checkpoint_every: 0, grid: {box: [0, 1], boundary: [wall, open]}}\nflow: [sample_source]\n", []string{
			`s.yaml:2:13: run.name: is "..": want a name that a folder can have, without / and \`,
			`s.yaml:2:25: run.device: device "tpu": want auto, cpu, cuda or cuda:INDEX`,
			`s.yaml:2:39: run.threads: is -1: want 0 to 1024`,
			`s.yaml:2:54: run.max_steps: is -1: want at least 0`,
			`s.yaml:2:76: run.checkpoint_every: is 0: want at least 1`,
			`s.yaml:2:92: run.grid.box[0]: is 0: want more than 0`,
			`s.yaml:2:110: run.grid.boundary[0]: is "wall": want periodic or open`}},
		"shape of the grid": {"version: 1\nrun: {grid: {box: [1], boundary: [open]}}\nflow: [sample_source]\n", []string{
			`s.yaml:2:19: run.grid.box: is [1]: want the height and the width`,
			`s.yaml:2:34: run.grid.boundary: is [open]: want one for y and one for x`}},
		"units": {"version: 1\nrun: {units: [" + strings.Repeat("a=a,", 10_000) + "]}\nflow: [sample_source, sample_sink]", []string{
			"s.yaml:2:14: run.units: is [" + strings.TrimSpace(strings.Repeat("a=a ", 10_000)) + "]: want one unit for all, and one FIELD=UNIT a field"}},
	} {
		t.Run(name, func(t *testing.T) { wantDiagnostics(t, c.yaml, nil, c.want...) })
	}
}

// TestWarnings: a spec with warnings is a spec, and one with errors too names both.
func TestWarnings(t *testing.T) {
	const warning = `s.yaml:4:14: warning: flow[0].sample_source.count: is large: take less`
	spec, err := Parse("s.yaml", []byte(source("      count: 101\n")), nil)
	if err != nil || spec.Warnings.Error() != warning {
		t.Errorf("error %v, spec %+v", err, spec)
	}
	wantDiagnostics(t, source("      count: 101\n  - nothing\n"), nil, warning, `s.yaml:5:5: flow[1].nothing: no such stage`)
	wantDiagnostics(t, source("      count: 101\n      part: bad\n"), nil, `s.yaml:5:13: flow[0].sample_source.part: is bad`)
	composed, err := Compose(nil, With(func(c *sampleConfig) { c.Count = 101 }))
	if err != nil || len(composed.Warnings) != 1 {
		t.Errorf("in code: error %v, spec %+v", err, composed)
	}
}

// wantDiagnostics parses a spec as s.yaml and wants exactly these lines.
func wantDiagnostics(t *testing.T, yaml string, overrides []Override, want ...string) {
	t.Helper()
	got := ""
	if _, err := Parse("s.yaml", []byte(yaml), overrides); err != nil {
		got = err.Error()
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), got); diff != "" {
		t.Errorf("diagnostics differ (-want +got):\n%s", diff)
	}
}

// FuzzParse: any text gives a spec or an error, never a panic, and a spec that
// is parsed can be written and parsed again.
func FuzzParse(f *testing.F) {
	f.Add(source("      {count: 1, names: [a, b], split: {train: 0-3}}\n"))
	f.Add("version: 1\nrun: {grid: {box: [1, 2]}}\nflow: [a: {}, b]\n")
	f.Add("a: &x [*x]")
	f.Add("<<: {a: 1}")
	f.Add(source("      levels: [" + strings.Repeat("0-9999,", 20) + "]\n"))
	f.Add("version: 1\nrun: {units: [a=a,a=a,b]}\nflow: [" + strings.Repeat("a,", 200) + "]\n")
	f.Add(strings.Repeat("a:\nb:\n", 50) + "[,")
	f.Fuzz(func(t *testing.T, text string) {
		fuzzlimit.Run(t, len(text), func() { parseTwice(t, text) })
	})
}

func parseTwice(t *testing.T, text string) {
	spec, err := Parse("f.yaml", []byte(text), []Override{{Path: "sample_source.count", Value: "3", Flag: "--set"}})
	if (spec == nil) != (err != nil) {
		t.Errorf("spec %v, error %v", spec, err)
	}
	if err != nil {
		_ = err.Error() // all lines of it
	}
	if spec == nil || !utf8.ValidString(text) {
		return
	}
	if _, err := Parse("f.yaml", spec.YAML(), nil); err != nil {
		t.Errorf("the resolved spec: %v\n%s", err, spec.YAML())
	}
}
