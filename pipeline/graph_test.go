package pipeline

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestGraph(t *testing.T) {
	s, err := Parse("s.yaml", []byte("version: 1\nrun: {overfit: false}\nflow:\n  - sample_source: {count: 7}\n  - sample_sink:\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	s.WriteGraph(&text)
	want := "sample_source\n  |   count 7\n  v   planar frames\nsample_sink\n"
	if got := text.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	svg := string(s.GraphSVG())
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
	for _, want := range []string{">sample_source<", ">count 7<", ">planar frames<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s in\n%s", want, svg)
		}
	}
}
