package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// sampleOwners are the run section and two stages.
func sampleOwners() []Item {
	return []Item{{"run", &sampleRun{}}, {"sample_sink", &sampleConfig{}}, {"sample_source", &sampleConfig{Count: 1}}}
}

func TestFlags(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want []Override
		err  string
	}{
		"none": {nil, nil, ""},
		"in order": {[]string{"--sample-count", "3", "--seed=7", "--sample-count=4"}, []Override{
			{"sample_sink.count|sample_source.count", "3", "--sample-count"}, {"run.seed", "7", "--seed"}, {"sample_sink.count|sample_source.count", "4", "--sample-count"}}, ""},
		"switches": {[]string{"--sample-flag", "--no-overfit", "--overfit=false"}, []Override{
			{"sample_sink.flag|sample_source.flag", "true", "--sample-flag"}, {"run.overfit", "false", "--no-overfit"}, {"run.overfit", "false", "--overfit"}}, ""},
		"no with a value": {[]string{"--no-overfit=false"}, nil, "takes no value"},
		"no such":         {[]string{"--sample-scale=3"}, nil, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
			given := AddFlags(fs, sampleOwners())
			err := fs.Parse(c.args)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, append([]Override(nil), *given...)); diff != "" {
				t.Errorf("overrides differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFlagShared: one flag for a key of several stages names each, and sets those of the flow.
func TestFlagShared(t *testing.T) {
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	given := AddFlags(fs, sampleOwners())
	const want = "sample_sink.count, sample_source.count"
	if got := fs.Lookup("sample-count").Usage; got != want {
		t.Errorf("usage %q, want %q", got, want)
	}
	if err := fs.Parse([]string{"--sample-count=9"}); err != nil {
		t.Fatal(err)
	}
	for _, flow := range []string{"[sample_source]", "[sample_source, sample_sink]"} {
		spec, err := parse("s.yaml", []byte("version: 1\nflow: "+flow+"\n"), *given)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range spec.Flow {
			if got := n.Config.(*sampleConfig).Count; got != 9 {
				t.Errorf("%s: %s has count %d", flow, n.Name, got)
			}
		}
	}
}
