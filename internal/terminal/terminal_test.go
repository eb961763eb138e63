package terminal

import (
	"bytes"
	"os"
	"testing"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"step 3\tloss 0.5 × δρ²\n": "step 3\tloss 0.5 × δρ²\n",
		"\x1b[31mred\a\x00":        `\x1b[31mred\x07\x00`,
		"a\rb\x7f":                 `a\x0db\x7f`,
		"\xff\u202e\ufffd":         `\xff\u202e` + "\ufffd",
		"\u009b31m":                `\u009b31m`,
	} {
		var out bytes.Buffer
		if n, err := New(&out).Write([]byte(text)); n != len(text) || err != nil || out.String() != want {
			t.Errorf("%q: %q, %d, %v, want %q", text, out.String(), n, err, want)
		}
	}
}

func TestLine(t *testing.T) {
	if got, want := Line("a\n\tb\x1b"), `a\x0a\x09b\x1b`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestGone: a reader that has gone is no error, a full disk is.
func TestGone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	if _, err := New(w).Write([]byte("x")); err != nil {
		t.Errorf("a pipe without a reader: %v", err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	if _, err := New(full).Write([]byte("x")); err == nil {
		t.Error("a full disk: no error")
	}
}
