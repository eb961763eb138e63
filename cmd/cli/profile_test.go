package cli

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// traceCommand checks a trace: trace FILE STAGE ROOT...
//   - Spans nest on every track.
//   - The torch thread's outermost spans within the stage's spans take at least half
//     of the stage's time.
//   - Each ROOT is an outermost span of the torch thread, with ops inside.
func traceCommand(ts *testscript.TestScript, _ bool, args []string) {
	type event struct {
		Name, Ph string
		Ts, Dur  float64
		Tid      int
		Args     struct{ Name string }
	}
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	var trace struct{ TraceEvents []event }
	ts.Check(json.Unmarshal(data, &trace))
	tracks := map[string][]event{}
	names := map[int]string{}
	for _, e := range trace.TraceEvents {
		if e.Ph == "M" {
			names[e.Tid] = e.Args.Name
			continue
		}
		if e.Ph != "X" || e.Name == "" || names[e.Tid] == "" || e.Ts < 0 || e.Dur < 0 {
			ts.Fatalf("event %+v", e)
		}
		tracks[names[e.Tid]] = append(tracks[names[e.Tid]], e)
	}

	end := func(e event) float64 { return math.Round(1e3*e.Ts) + math.Round(1e3*e.Dur) } // ns
	within := map[string]int{}
	var roots []event
	for track, events := range tracks {
		slices.SortStableFunc(events, func(a, b event) int { return cmp.Or(cmp.Compare(a.Ts, b.Ts), cmp.Compare(b.Dur, a.Dur)) })
		var open []event
		for _, e := range events {
			for len(open) > 0 && end(open[len(open)-1]) <= math.Round(1e3*e.Ts) {
				open = open[:len(open)-1]
			}
			if len(open) > 0 && end(e) > end(open[len(open)-1]) {
				ts.Fatalf("%s: %+v begins in %+v and ends outside", track, e, open[len(open)-1])
			}
			if len(open) > 0 {
				within[open[0].Name]++
			} else if track == "torch thread" {
				roots = append(roots, e)
			}
			open = append(open, e)
		}
	}

	stage, covered := 0.0, 0.0
	for _, s := range tracks[args[1]] {
		stage += s.Dur
		for _, r := range roots {
			if r.Ts >= s.Ts && r.Ts < s.Ts+s.Dur {
				covered += r.Dur
			}
		}
	}
	if covered > stage || covered < stage/2 {
		ts.Fatalf("%s takes %.0f us, what it does on the torch thread %.0f", args[1], stage, covered)
	}
	for _, name := range args[2:] {
		if within[name] == 0 {
			ts.Fatalf("no ops in %s: there are %s", name, strings.Join(slices.Sorted(maps.Keys(within)), ", "))
		}
	}
}
