package pipeline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDescribe(t *testing.T) {
	var b strings.Builder
	Describe(&b, Declared{
		Name: "example", Doc: "Does something.\n\n\ta picture", Source: true, Store: true,
		Link: Link{Needs: Stored | Paired, Wants: Replayed, Refuses: Batched, Adds: Planar, Drops: Stored, End: true},
		Config: func() any {
			return &struct {
				Rate  float64 `yaml:"rate" above:"0" flag:"rate" doc:"of it"`
				Mult  []int   `yaml:"mult" doc:"of each"`
				Inner struct {
					On bool `yaml:"on" doc:"or off"`
				} `yaml:"inner" doc:"more"`
			}{Rate: 1e-4, Mult: []int{1, 2}}
		},
	})
	const want = `example

Does something.

	a picture

starts a flow
keeps the frames that reach it, and is then the flow's source
ends a flow
needs  stored (channels-last), paired (x_hi, x_lo)
wants  replayed
refuses  batched
gives  planar
drops  stored (channels-last)

  rate      of it (more than 0) [number, default 0.0001, --rate]
  mult      of each [list, default 1,2]
  inner.on  or off [bool, default false]
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("described differently (-want +got):\n%s", diff)
	}
}

func TestList(t *testing.T) {
	var b strings.Builder
	List(&b)
	if n := len(Declarations()); strings.Count(b.String(), "\n") != n || !strings.Contains(b.String(), "\nsample_sink ") {
		t.Errorf("want %d lines:\n%s", n, b.String())
	}
}
