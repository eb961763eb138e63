package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// fakeHeavy is a stage whose work takes the time of a run.
type fakeHeavy struct {
	fakeFlow
	seen []int
	fail error
}

func (h *fakeHeavy) Rehearse(_ context.Context, in Element) (bool, error) {
	h.seen = append(h.seen, in.(*Frames).Origins[0].Frame)
	return len(h.seen) == 3, h.fail
}

func (h *fakeHeavy) Forecast(f *Forecast) {
	f.Memory(2e9, "weights")
	f.Memory(5e9, "activations")
	f.Time(90*time.Minute, "%d steps", 9)
}

// TestDryRun: stages fit a sample, the heavy stage gets frames until it has enough, no store is
// filled, no frame is left, and nothing is written.
func TestDryRun(t *testing.T) {
	dir := t.TempDir()
	run := func(fail error) (string, *fakeHeavy, error) {
		writes, sum, fits := 0, 0, 0
		heavy := &fakeHeavy{fail: fail}
		spec := flowOf(t, &fakeSource{Count: 1 << 40}, &fakeStore{writes: &writes}, &fakeFit{sum: &sum, fits: &fits}, heavy)
		spec.Run.Dir = dir + "/run"
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		defer mem.AssertSize(t, 0)
		facts, err := DryRun(context.Background(), spec, Options{Cache: dir + "/cache", Mem: mem})
		if writes != 0 || fits == 0 || sum != 0+1+2+3+4 {
			t.Errorf("%d frames stored, %d fitted, sum %d: want none, some, 10", writes, fits, sum)
		}
		var text []string
		for _, f := range facts {
			text = append(text, f.Name+" "+f.Text)
		}
		return strings.Join(text, "\n"), heavy, err
	}
	text, heavy, err := run(nil)
	if err != nil || len(heavy.seen) != 3 {
		t.Errorf("%v, rehearsed on %v", err, heavy.seen)
	}
	for _, want := range []string{
		"fields 1: a\n", "/run: new\n", "statistics of fakeFit: the run takes them from the training frames first\n",
		"memory 7 GB of the ", "left: 5 GB for activations; 2 GB for weights; 12 B for frames\n", "time about 1h30m, until ", ": 9 steps",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	text, _, err = run(errors.New("too large"))
	if input := (*InputError)(nil); !errors.As(err, &input) || err.Error() != "flow[3].fakeHeavy: too large" || !strings.Contains(text, "memory 7 GB") {
		t.Errorf("%v, %s", err, text)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v, left %v", err, entries)
	}
}

// TestChanged: the keys that are not the defaults, and no others.
func TestChanged(t *testing.T) {
	spec, err := Parse("s.yaml", []byte("version: 1\nrun: {seed: 3, name: run}\nflow: [{sample_source: {count: 2}}, sample_batch]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	spec.Run.Dir = ""
	facts := spec.Changed()
	if len(facts) != 3 || facts[0] != (Fact{"run", "name: run, seed: 3"}) || facts[1] != (Fact{"sample_source", "count: 2"}) || facts[2] != (Fact{"sample_batch", ""}) {
		t.Errorf("%q", facts)
	}
}

// TestChangedLists: of a long list the first and the last, of a map what YAML would have.
func TestChangedLists(t *testing.T) {
	type config struct {
		Files []string         `yaml:"files" doc:"files"`
		Split map[string][]int `yaml:"split" doc:"split"`
	}
	now := config{Split: map[string][]int{"val": {2}}}
	for i := range 20 {
		now.Files = append(now.Files, fmt.Sprintf("f%d", i))
	}
	if got, want := changed(&config{}, &now), "files: [f0 ... f19], 20 of them, split: [val:[2]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSecondsText(t *testing.T) {
	for seconds, want := range map[float64]string{0.25: "0.25 s", 59: "59 s", 61: "1m1s", 3600 + 180: "1h3m", 50 * 3600: "2.1 days"} {
		if got := secondsText(seconds); got != want {
			t.Errorf("%g s reads %s, want %s", seconds, got, want)
		}
	}
}
