package spec

import (
	"math"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

// TestWritten: the written spec reads as the same spec, whichever folder it is in.
func TestWritten(t *testing.T) {
	spec, err := parse("/specs/a.yaml", []byte(source("      {levels: 0-3, file: x, files: [y], split: {val: 1}, scale: 1.0000000000000002, maybe: {box: [1e-300, 0.1]}}\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	spec.Run.Seed, spec.Run.Name = math.MaxUint64, "1e3" // a number would be another name
	again, err := parse("/elsewhere/b.yaml", Write(&spec.Run, spec.Flow), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, Write(&spec.Run, spec.Flow))
	}
	empty := cmpopts.EquateEmpty() // nil and [] are the same in YAML
	if diff := cmp.Diff(spec.Flow[0].Config, again.Flow[0].Config, empty); diff != "" {
		t.Errorf("the resolved spec differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(spec.Run, again.Run, empty); diff != "" {
		t.Errorf("the resolved run differs (-want +got):\n%s", diff)
	}
}

// FuzzText: whatever text a key holds, the written spec gives it back.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "x", "1e3", "0x1p-2", "7", "null", "~", "true", "no", "- a", "a: b", "a #b", "#", "a\nb\n", "\t", " ", "'", `"`, "*x", "&x", "!x", "[a", "{a", "é", "\u2028", "|", ">", "%a", "@", "`", "---", "...", "?", "? a", "<<", "=", ".inf", ".nan", "0o7", "1_000", "2001-01-01", "a,b", "\r", "\x00", "\x7f", "\ufeff", "\U0001F600", "a\\b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip("YAML is Unicode")
		}
		fuzzlimit.Run(t, len(text), func() { writeAndParse(t, text) })
	})
}

func writeAndParse(t *testing.T, text string) {
	want := &sampleConfig{Name: text, Names: []string{text, "x"}}
	spec := &sampleSpec{Run: sampleRun{CheckpointEvery: 1}, Flow: []Item{{"sample_source", want}}}
	again, err := parse("s.yaml", Write(&spec.Run, spec.Flow), nil)
	if err != nil {
		t.Fatalf("%q: %v\n%s", text, err, Write(&spec.Run, spec.Flow))
	}
	if diff := cmp.Diff(want, again.Flow[0].Config, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%q came back otherwise (-want +got):\n%s\n%s", text, diff, Write(&spec.Run, spec.Flow))
	}
}
