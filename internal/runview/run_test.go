package runview

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmsr.example/fmsr/internal/store/runfolder"
	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

const someSpec = `version: 1
run:
  name: "a run"
  units: [code units, "Bx=G"]
  grid:
    box: [1, 2.5]
flow:
  - npy_load:
      split: {train: [0, 1], val: [2]}
  - train:
      total_steps: 40
      lr: 6.0e-4
  - ema:
  - report:
`

// folder makes a run's folder of these files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, dir, name, text)
	}
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o777))
	must(t, os.WriteFile(path, []byte(text), 0o666))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func opened(t *testing.T, dir string) *Run {
	t.Helper()
	r, err := Open(dir)
	must(t, err)
	_, err = r.Refresh()
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

func refresh(t *testing.T, r *Run, want bool) {
	t.Helper()
	if changed, err := r.Refresh(); err != nil || changed != want {
		t.Errorf("changed %v, %v; want %v", changed, err, want)
	}
}

func TestSpec(t *testing.T) {
	r := opened(t, folder(t, map[string]string{SpecName: someSpec}))
	want := []Key{
		{"version", "1"}, {"run.name", "a run"}, {"run.units", "[code units, Bx=G]"}, {"run.grid.box", "[1, 2.5]"},
		{"npy_load.split.train", "[0, 1]"}, {"npy_load.split.val", "[2]"}, {"train.total_steps", "40"}, {"train.lr", "6.0e-4"},
	}
	if d := cmp.Diff(want, r.Spec.Keys); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"npy_load", "train", "ema", "report"}, r.Spec.Flow); d != "" {
		t.Error(d)
	}
	if r.Name != "a run" || r.State.String() != "stopped at step 0 of 40" {
		t.Errorf("%q, %s", r.Name, r.State)
	}
	other, err := parseSpec([]byte(strings.Replace(someSpec, "6.0e-4", "1e-3", 1) + "  - images:\n      x: 1\n"))
	must(t, err)
	if d := cmp.Diff([]Difference{{"train.lr", []string{"6.0e-4", "1e-3"}}, {"images.x", []string{"", "1"}}}, Differences(&r.Spec, &other)); d != "" {
		t.Error(d)
	}
}

// TestCurves: new lines are read once, a torn line when it is whole, and a log that a resumed
// run has cut or replaced from its start.
func TestCurves(t *testing.T) {
	dir := folder(t, map[string]string{SpecName: someSpec, MetricsName: `{"step":10,"train/loss":4.5,"odd\"name":1}` + "\n" + `{"step":20,"train/loss":3,"val`})
	r := opened(t, dir)
	check := func(name string, want *Curve) {
		t.Helper()
		if d := cmp.Diff(want, r.Metrics.Of(name)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	check("train/loss", &Curve{[]int{10}, []float64{4.5}})
	check(`odd"name`, &Curve{[]int{10}, []float64{1}})
	refresh(t, r, false)
	add := func(text string) {
		f, err := os.OpenFile(filepath.Join(dir, MetricsName), os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		_, err = f.WriteString(text)
		must(t, err)
		must(t, f.Close())
	}
	add(`/mse":1e-3}` + "\n")
	refresh(t, r, true)
	check("train/loss", &Curve{[]int{10, 20}, []float64{4.5, 3}})
	check("val/mse", &Curve{[]int{20}, []float64{1e-3}})
	if v, ok := r.Metrics.Of("val/mse").Last(); !ok || v != 1e-3 || r.State.Step != 20 || r.Metrics.Lines != 2 {
		t.Errorf("%g, %v; step %d, %d lines", v, ok, r.State.Step, r.Metrics.Lines)
	}
	must(t, os.Truncate(filepath.Join(dir, MetricsName), 0))
	add(`{"step":10,"train/loss":4.5,"odd\"name":1}` + "\n" + `{"step":20,"train/loss":5}` + "\n" + `{"step":40,"train/loss":2}` + "\n")
	refresh(t, r, true)
	check("train/loss", &Curve{[]int{10, 20, 40}, []float64{4.5, 5, 2}})
	if !r.State.Ended() {
		t.Error(r.State)
	}
	add("{}\n")
	if _, err := r.Refresh(); err == nil || err.Error() != fmt.Sprintf("%s: read metrics.jsonl: line 4: it has no step", dir) {
		t.Errorf("%v", err)
	}
}

// TestParseLine: both ways to read a line agree.
func TestParseLine(t *testing.T) {
	names, values, ok := parsePlain([]byte(`{"step":1,"a/b":-2.5e-3}`))
	if !ok || cmp.Diff([]string{"step", "a/b"}, names) != "" || cmp.Diff([]float64{1, -2.5e-3}, values) != "" {
		t.Errorf("%v %v %v", names, values, ok)
	}
	for _, line := range []string{`{"step": 1}`, `{"a\u0020":1}`, `{"a":1,}`, `{"a":NaN}`, `{"a":"b"}`, `{"a":[1,2]}`, `{"a"}`, `[1]`, `{`} {
		if names, values, ok := parsePlain([]byte(line)); ok {
			t.Errorf("%s gave %v %v", line, names, values)
		}
	}
	names, values, err := parseLine([]byte(`{"b": [1], "a": 2, "c": null, "step": 7}`))
	if err != nil || cmp.Diff([]string{"a", "step"}, names) != "" || cmp.Diff([]float64{2, 7}, values) != "" {
		t.Errorf("%v %v %v", names, values, err)
	}
}

// TestState: a folder in use says by whom, and that does not disturb its user.
func TestState(t *testing.T) {
	dir := folder(t, map[string]string{SpecName: someSpec, MetricsName: `{"step":10,"train/loss":4.5}` + "\n"})
	r := opened(t, dir)
	f, err := runfolder.Use(dir, "training", false)
	must(t, err)
	refresh(t, r, true)
	if want := fmt.Sprintf("pid %d on ", os.Getpid()); !r.State.Running() || !strings.HasPrefix(r.State.Holder, want) || r.State.String() != "running: step 10 of 40" {
		t.Errorf("%+v: %s", r.State, r.State)
	}
	must(t, f.Release())
	refresh(t, r, true)
	write(t, dir, runfolder.Lock, "pid 1 on elsewhere started 5\n") // a killed run's
	refresh(t, r, false)
	if r.State.String() != "stopped at step 10 of 40" {
		t.Errorf("%+v", r.State)
	}
}

const someRecord = `{"step":40,"frames":4,"grid":{"H":8,"W":8},"factor":2,"lost":2,"fields":[{"name":"Bx"}],
"metrics":[{"name":"of_bilinear","head":"of bilinear","unit":"1","doc":"d","cell":"%.3f"},{"name":"band","head":"b","unit":"1","doc":"d","cell":"%.3f"}],
"sources":[{"key":"bilinear","label":"l","row":"bilinear input","all":[1,0.1],"fields":[[1],[0.1]]},
{"key":"linear","label":"l","row":"linear filter 9x9","all":[0.37,0.28],"fields":[[0.37],[0.28]]},
{"key":"ode","label":"l","row":"model, ODE","model":true,"all":[0.4,null],"fields":[[0.4],[null]]},
{"key":"ode_ema","label":"l","row":"model, ODE EMA","suffix":"_ema","model":true,"all":[0.33,0.84],"fields":[[0.33],[0.84]]}],
"spectra":[{"key":"truth","label":"truth","power":[[1,null,2]]}]}`

func TestRecords(t *testing.T) {
	dir := folder(t, map[string]string{SpecName: someSpec, "evaluations/9.json": "{", "evaluations/40.json": someRecord, "evaluations/x.json": "", "images/a/b/7.png": "P"})
	r := opened(t, dir)
	if d := cmp.Diff([]int{9, 40}, r.Steps); d != "" {
		t.Error(d)
	}
	verdict, err := r.Verdict()
	want := "at step 40 the model has 0.33 of bilinear's error, the linear filter 9x9 0.37; it keeps 84% of the lost band's power, the linear filter 9x9 28%"
	if verdict != want || err != nil {
		t.Errorf("%s, %v", verdict, err)
	}
	e, err := r.Record(40)
	if err != nil || !math.IsNaN(e.Spectra[0].Power[0][1]) || e.Spectra[0].Power[0][2] != 2 {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := r.Record(9); err == nil || err.Error() != dir+": evaluations/9.json: unexpected end of JSON input" {
		t.Errorf("%v", err)
	}
	steps, err := r.Pictures("a/b")
	if d := cmp.Diff([]int{7}, steps); d != "" || err != nil {
		t.Errorf("%s %v", d, err)
	}
	if data, err := r.Picture("a/b", 7); string(data) != "P" || err != nil {
		t.Errorf("%q %v", data, err)
	}
}

// TestNothingElse: what is not a run, and files that lead out of the folder or are no files.
func TestNothingElse(t *testing.T) {
	if _, err := Open(t.TempDir()); err == nil || !strings.HasSuffix(err.Error(), "open spec.yaml: there is none: not a run's folder") {
		t.Errorf("%v", err)
	}
	secret := folder(t, map[string]string{"7.png": "secret", "spec.yaml": someSpec})
	dir := folder(t, map[string]string{SpecName: someSpec})
	must(t, os.MkdirAll(filepath.Join(dir, Images), 0o777))
	must(t, os.Symlink(secret, filepath.Join(dir, Images, "a")))
	must(t, syscall.Mkfifo(filepath.Join(dir, TimingName), 0o666))
	r, err := Open(dir)
	must(t, err)
	if _, err := r.Refresh(); err == nil || !strings.HasSuffix(err.Error(), "open timing.jsonl: not a regular file") {
		t.Errorf("%v", err)
	}
	must(t, r.Close())
	must(t, os.Remove(filepath.Join(dir, TimingName)))
	r = opened(t, dir)
	for _, name := range []string{"a", "../" + filepath.Base(secret), "../../x", "/etc"} {
		if data, err := r.Picture(name, 7); err == nil {
			t.Errorf("%s: %q", name, data)
		}
	}
}

// FuzzRun: any files give a run or an error, never a panic.
func FuzzRun(f *testing.F) {
	f.Add(someSpec, `{"step":10,"train/loss":4.5}`+"\n{", someRecord, `{"version":"x","grid":"8 x 8"}`)
	f.Add("a: &a [*a, *a]\nflow: [{x: {<<: 1}}]\nrun: !!binary x", "{\"step\":1e300,\"a\":1}\n", `{"metrics":[{"cell":"%9999999d"}]}`, "{}")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, spec, metrics, record, about string) {
		fuzzlimit.Run(t, len(spec)+len(metrics)+len(record)+len(about), func() {
			for name, text := range map[string]string{SpecName: spec, MetricsName: metrics, "evaluations/1.json": record, AboutName: about} {
				write(t, dir, name, text)
			}
			r, err := Open(dir)
			if err != nil {
				return
			}
			defer r.Close()
			_, _ = r.Refresh()
			for _, name := range r.Metrics.Names {
				if c := r.Metrics.Of(name); len(c.Steps) != len(c.Values) || len(c.Steps) == 0 {
					t.Errorf("%s: %d steps, %d values", name, len(c.Steps), len(c.Values))
				}
			}
			_, _ = r.Verdict()
			_ = r.State.String()
			_ = Differences(&r.Spec, &Spec{})
		})
	})
}
