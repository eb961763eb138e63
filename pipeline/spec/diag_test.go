package spec

import "testing"

func TestDiagnosticString(t *testing.T) {
	for want, d := range map[string]Diagnostic{
		`specs/full.yaml:14:7: flow[3].pool_upsample.facter: unknown key (did you mean "factor"?)`: {
			File: "specs/full.yaml", Line: 14, Col: 7, Path: "flow[3].pool_upsample.facter", Summary: "unknown key", Suggestion: "factor"},
		`--set pool_upsample.facter=2: unknown key (did you mean "factor"?)`: {
			File: "a.yaml", Flag: "--set pool_upsample.facter=2", Path: "flow[3].pool_upsample.facter", Summary: "unknown key", Suggestion: "factor"},
		`--set a.split={gap: 0}: warning: a.split.gap: is 0`: {
			Severity: Warning, Flag: "--set a.split={gap: 0}", Path: "flow[0].a.split.gap", Summary: "is 0"},
		`a.yaml: the spec is empty`: {File: "a.yaml", Summary: "the spec is empty"},
	} {
		if got := d.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestDiagnosticOrder: by place in the file, then what flags brought.
func TestDiagnosticOrder(t *testing.T) {
	ds := Diagnostics{{Flag: "--lr", Summary: "e"}, {Line: 10, Col: 1, Summary: "d"}, {Line: 2, Col: 9, Summary: "c"}, {Line: 2, Col: 3, Summary: "b"}, {File: "f", Summary: "a"}}
	ds.sort()
	got := ""
	for _, d := range ds {
		got += d.Summary
	}
	if got != "abcde" {
		t.Errorf("order %s", got)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"lr", "size", "total_steps", "warmup_steps", "t_min"}
	for name, want := range map[string]string{
		"lrr": "lr", "lt": "lr", "xy": "", "x": "", "sizee": "size", "szie": "size", "total_step": "total_steps", "warmupsteps": "warmup_steps",
		"tmin": "t_min", "nonsense": "", "": "",
	} {
		if got := Nearest(name, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", name, got, want)
		}
	}
}
