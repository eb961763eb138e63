package pipeline

import (
	"testing"

	"fmsr.example/fmsr/pipeline/spec"
)

func TestLinkDiagnostics(t *testing.T) {
	for name, c := range map[string]struct {
		flow string
		want []string
	}{
		"fits":               {"[sample_source, sample_batch, sample_steps, sample_after]", nil},
		"source last":        {"[sample_source, sample_source]", []string{`s.yaml:2:23: flow[1].sample_source: starts a flow: put it first`}},
		"frames after steps": {"[sample_source, sample_batch, sample_steps, sample_batch]", []string{`s.yaml:2:51: flow[3].sample_batch: takes frames, but sample_steps above it gives training steps`}},
		"missing":            {"[sample_source, sample_steps, sample_after]", []string{`s.yaml:2:23: flow[1].sample_steps: needs batched frames: put sample_batch above it`}},
		"missing, once":      {"[sample_source, sample_after, sample_after]", []string{`s.yaml:2:23: flow[1].sample_after: needs training steps: put sample_steps above it`}},
		"dropped":            {"[sample_source, sample_change, sample_sink]", []string{`s.yaml:2:38: flow[2].sample_sink: needs planar frames, which sample_change drops: put it above sample_change`}},
		"two":                {"[sample_source, sample_change, sample_sink, sample_steps]", []string{`s.yaml:2:38: flow[2].sample_sink: needs planar frames, which sample_change drops: put it above sample_change`, `s.yaml:2:51: flow[3].sample_steps: needs batched frames: put sample_batch above it`}},
		"in order":           {"[sample_source, sample_batch, sample_steps, sample_average, sample_judge, sample_log]", nil},
		"not yet judged":     {"[sample_source, sample_batch, sample_steps, sample_average, sample_log, sample_judge]", []string{`s.yaml:2:67: flow[4].sample_log: needs evaluated steps: put it below sample_judge`}},
		"never judged":       {"[sample_source, sample_batch, sample_steps, sample_log]", []string{`s.yaml:2:51: flow[3].sample_log: needs evaluated steps: put sample_judge above it`}},
		"averaged after that": {"[sample_source, sample_batch, sample_steps, sample_judge, sample_average]", []string{
			`s.yaml:2:51: warning: flow[3].sample_judge: gets no averaged steps: no averaged figures: put it below sample_average`,
			`s.yaml:2:65: flow[4].sample_average: is below sample_judge, but takes no evaluated steps: put it above sample_judge`}},
		"averaged late and twice": {"[sample_source, sample_batch, sample_steps, sample_average, sample_judge, sample_average]", []string{`s.yaml:2:81: flow[5].sample_average: is below sample_judge, but takes no evaluated steps: put it above sample_judge`}},
		"one fault, not two":      {"[sample_source, sample_batch, sample_steps, sample_log, sample_average, sample_judge]", []string{`s.yaml:2:51: flow[3].sample_log: needs evaluated steps: put it below sample_judge`}},
		"averaged twice":          {"[sample_source, sample_batch, sample_steps, sample_average, sample_average]", []string{`s.yaml:2:67: flow[4].sample_average: is below sample_average, but takes no averaged steps: leave one of them out`}},
		"below the end":           {"[sample_source, sample_end, sample_change, sample_steps]", []string{`s.yaml:2:35: flow[2].sample_change: is below sample_end, which sends nothing on: put it above sample_end`}},
		"log twice":               {"[sample_source, sample_batch, sample_steps, sample_average, sample_judge, sample_log, sample_log]", []string{`s.yaml:2:93: flow[6].sample_log: appears twice, and both would write the same files`}},
		"below an unknown":        {"[sample_source, nonsense, sample_steps]", []string{`s.yaml:2:23: flow[1].nonsense: no such stage`}},
	} {
		t.Run(name, func(t *testing.T) {
			wantDiagnostics(t, "version: 1\nflow: "+c.flow+"\n", nil, c.want...)
		})
	}
}

// TestLinkStart: the sources named are all that are registered, other tests' too.
func TestLinkStart(t *testing.T) {
	_, err := Parse("s.yaml", []byte("version: 1\nflow: [sample_sink, sample_batch]\n"), nil)
	diags, ok := err.(spec.Diagnostics)
	if !ok || len(diags) != 1 || diags[0].Line != 2 || diags[0].Col != 8 || diags[0].Path != "flow[0].sample_sink" {
		t.Errorf("a flow without a source: %v", err)
	}
}

// TestWants: a flow without what a stage wants is legal, and warned of.
func TestWants(t *testing.T) {
	spec, err := Parse("s.yaml", []byte("version: 1\nflow: [sample_source, sample_batch, sample_steps, sample_judge]\n"), nil)
	const want = "s.yaml:2:51: warning: flow[3].sample_judge: gets no averaged steps: no averaged figures: put sample_average above it"
	if err != nil || spec.Warnings.Error() != want {
		t.Errorf("error %v, spec %+v", err, spec)
	}
}

// TestOnce: run.overfit goes with no stage that takes each seed once.
func TestOnce(t *testing.T) {
	const flow = "flow: [sample_source, sample_once]\n"
	wantDiagnostics(t, "version: 1\n"+flow, nil,
		"s.yaml:2:23: flow[1].sample_once: takes each simulation once, but run.overfit (true unless the spec says otherwise) sends the first simulation twice and no other: set run.overfit to false")
	wantDiagnostics(t, "version: 1\nrun: {overfit: false}\n"+flow, nil)
}

// TestFlowAdviser: a config that is unwise below another is legal, and warned of.
func TestFlowAdviser(t *testing.T) {
	for count, want := range map[string]string{"2": "", "3": "s.yaml:2:38: warning: flow[1].sample_warn.key: is below a count of 3: take less"} {
		spec, err := Parse("s.yaml", []byte("version: 1\nflow: [{sample_source: {count: "+count+"}}, {sample_warn: }]\n"), nil)
		if err != nil || spec.Warnings.Error() != want {
			t.Errorf("count %s: error %v, warnings %v, want %q", count, err, spec.Warnings, want)
		}
	}
}

// TestTraits: what a stage sends is what it got, without its drops, with its adds.
func TestTraits(t *testing.T) {
	l := Link{Adds: Stored | Batched, Drops: Planar | Stored}
	if got := l.send(Planar | Paired); got != Stored|Paired|Batched {
		t.Errorf("sends %s", got)
	}
	if got := (Paired | Steps).String(); got != "paired (x_hi, x_lo), training steps" {
		t.Errorf("traits read %q", got)
	}
}
