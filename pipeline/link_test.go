package pipeline

import "testing"

func TestLinkDiagnostics(t *testing.T) {
	for name, c := range map[string]struct {
		flow string
		want []string
	}{
		"fits":               {"[sample_source, sample_batch, sample_steps, sample_after]", nil},
		"source last":        {"[sample_source, sample_source]", []string{`s.yaml:2:23: flow[1].sample_source: starts a flow: it can only stand first`}},
		"frames after steps": {"[sample_source, sample_batch, sample_steps, sample_batch]", []string{`s.yaml:2:51: flow[3].sample_batch: takes frames, but sample_steps above it gives training steps`}},
		"missing":            {"[sample_source, sample_steps, sample_after]", []string{`s.yaml:2:23: flow[1].sample_steps: needs batched frames: put sample_batch above it`}},
		"missing, once":      {"[sample_source, sample_after, sample_after]", []string{`s.yaml:2:23: flow[1].sample_after: needs training steps: put sample_steps above it`}},
		"dropped":            {"[sample_source, sample_change, sample_sink]", []string{`s.yaml:2:38: flow[2].sample_sink: needs planar frames: put it above sample_change`}},
		"two":                {"[sample_source, sample_change, sample_sink, sample_steps]", []string{`s.yaml:2:38: flow[2].sample_sink: needs planar frames: put it above sample_change`, `s.yaml:2:51: flow[3].sample_steps: needs batched frames: put sample_batch above it`}},
		"below an unknown":   {"[sample_source, nonsense, sample_steps]", []string{`s.yaml:2:23: flow[1].nonsense: no such stage`}},
	} {
		t.Run(name, func(t *testing.T) {
			wantDiagnostics(t, "version: 1\nflow: "+c.flow+"\n", nil, c.want...)
		})
	}
}

// TestLinkStart: the sources named are all that are registered, other tests' too.
func TestLinkStart(t *testing.T) {
	_, err := Parse("s.yaml", []byte("version: 1\nflow: [sample_sink, sample_batch]\n"), nil)
	diags, ok := err.(Diagnostics)
	if !ok || len(diags) != 1 || diags[0].Line != 2 || diags[0].Col != 8 || diags[0].Path != "flow[0].sample_sink" {
		t.Errorf("a flow without a source: %v", err)
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
