package display

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEvents: lines and events arrive, of the same work only its end at once.
func TestEvents(t *testing.T) {
	var lines, pipe bytes.Buffer
	var d Display = NewEvents(&lines, &pipe)
	for _, w := range []Work{{Name: "opening"}, {"working", "frames", 0, 8}, {"working", "frames", 1, 8}, {"working", "frames", 8, 8}} {
		d.Work(w)
	}
	_, _ = d.Write([]byte("a note\n"))
	d.Account([]Stage{{Name: "train"}})
	var got []Work
	if err := Receive(&pipe, func(e Event) {
		if got = append(got, e.Work); e.Resident <= 0 {
			t.Errorf("memory %d", e.Resident)
		}
	}); err != nil {
		t.Fatal(err)
	}
	want := []Work{{Name: "opening"}, {"working", "frames", 0, 8}, {"working", "frames", 8, 8}}
	if d := cmp.Diff(want, got); d != "" || lines.String() != "a note\n" {
		t.Errorf("%s%q", d, lines.String())
	}
	if err := Receive(bytes.NewBufferString(`{"Work":`), func(Event) {}); err == nil {
		t.Error("half an event is none")
	}
}

func TestJoin(t *testing.T) {
	open, a, b := Work{Name: "opening"}, Work{"working", "frames", 3, 8}, Work{"working", "frames", 8, 9}
	for _, c := range []struct {
		all  []Work
		want Work
	}{
		{[]Work{open, a, b}, Work{"working", "frames", 11, 17}},
		{[]Work{a, b, open}, Work{"working", "frames", 11, 17}},
		{[]Work{open, open, b}, open},
		{[]Work{a, open}, a},
		{[]Work{{}, {}, a}, a},
		{[]Work{a, {}, open}, a},
		{nil, Work{}},
	} {
		if got := Join(c.all); got != c.want {
			t.Errorf("%v: %v", c.all, got)
		}
	}
}
