package dataset

import (
	"strings"
	"testing"
)

func TestCheckNames(t *testing.T) {
	for name, want := range map[string]string{
		"Bx": "", "velocity (x)": "", "δρ/ρ": "a folder can have", "δρ": "", "B_φ": "", "-rf": "", "a.b": "", "...": "",
		"": "is empty", "..": "a folder can have", ".": "a folder can have", "../x": "a folder can have", "/abs": "a folder can have", `a\b`: "a folder can have",
		"a\x1b[31m": "can be printed", "b\x7f": "can be printed", "n\x00": "can be printed", "a\nb": "can be printed",
		"\u202egnp": "can be printed", "a\xff": "can be printed", "\u2028": "can be printed",
		strings.Repeat("n", 128): "", strings.Repeat("n", 129): "129 bytes: want at most 128",
	} {
		err := CheckNames([]string{"other", name})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\x1b\x7f\x00\n\u202e") {
			t.Errorf("%q: the error is not printable: %v", name, err)
		}
	}
	if err := CheckNames([]string{"a", "../x"}); err == nil || !strings.HasPrefix(err.Error(), `the name of field 1 is "../x": want`) {
		t.Errorf("../x: %v", err)
	}
	if err := CheckNames([]string{"a", "b", "a"}); err == nil || err.Error() != `the field "a" is named twice` {
		t.Errorf("a twice: %v", err)
	}
}
