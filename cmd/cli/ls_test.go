package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/testkit/somerun"
)

// TestRunsInTables: ls lists runs at any depth, and compare shows the keys and figures in
// which they differ.
func TestRunsInTables(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "sweep", "second")
	for folder, c := range map[string]somerun.Config{
		first:  {Name: "first", Side: 8, Fields: []string{"Bx"}, Frames: 1, Lines: 4, Evaluations: 2, LR: 1e-4},
		second: {Name: "second", Side: 8, Fields: []string{"Bx"}, Frames: 1, Lines: 4, Total: 90, LR: 3e-4},
	} {
		if err := somerun.Write(folder, c); err != nil {
			t.Fatal(err)
		}
	}
	out, err := call("ls", dir)
	if err != nil {
		t.Fatal(err)
	}
	out = strings.ReplaceAll(out, dir, "DIR")
	for _, want := range []string{
		`(?m)^run +flow +step +state +error +age +size$`,
		`(?m)^DIR/first +train +40/40 +ended +\d\.\d{3} +\d+ s +[\d.]+ [kM]B$`,
		`(?m)^DIR/sweep/second +train +40/90 +stopped +- `,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("ls: no %s in\n%s", want, out)
		}
	}
	if _, err := call("ls", filepath.Join(dir, "first", "images")); err == nil || !strings.Contains(err.Error(), "no runs") {
		t.Errorf("ls of a folder without runs: %v", err)
	}
	out, err = call("compare", first, second)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`(?m)^state +ended at step 40 +stopped at step 40 of 90$`,
		`(?m)^train.lr +0.0001 +0.0003$`,
		`(?m)^train.total_steps +40 +90$`,
		`(?m)^evaluated at step +40 +-$`,
		`(?m)^MSE +[\d.e-]+ +-$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("compare: no %s in\n%s", want, out)
		}
	}
	if strings.Contains(out, "batch.size") {
		t.Errorf("compare shows a key that does not differ:\n%s", out)
	}
}

// TestCompareStages: a stage that only some runs have is one line, and an empty map is {}.
func TestCompareStages(t *testing.T) {
	dir := t.TempDir()
	var runs []string
	for name, flow := range map[string]string{
		"a": "[{synth: {seeds: 3}}, {batch: {size: 2}}, {train: {lr: 0.1, odd: {}}}]",
		"b": "[{synth: {seeds: 3}}, {batch: {size: 2}}, {train: {lr: 0.1, odd: {Bz: [flip_b]}}}]",
		"c": "[{synth: {seeds: 4}}]",
	} {
		run := filepath.Join(dir, name)
		if err := os.Mkdir(run, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(run, "spec.yaml"), []byte("version: 1\nrun: {name: x}\nflow: "+flow+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
	}
	slices.Sort(runs)
	out, err := call(append([]string{"compare"}, runs...)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`(?m)^batch +in the flow +in the flow +-$`,
		`(?m)^synth.seeds +3 +3 +4$`,
		`(?m)^train.odd +\{\} +- +-$`,
		`(?m)^train.odd.Bz +- +\[flip_b\] +-$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("compare: no %s in\n%s", want, out)
		}
	}
	for _, unwanted := range []string{"train.lr", "batch.size"} {
		if strings.Contains(out, unwanted) {
			t.Errorf("compare: %s, which all runs with the stage share, in\n%s", unwanted, out)
		}
	}
}
