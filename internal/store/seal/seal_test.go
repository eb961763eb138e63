package seal

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestObject: compact and indented objects stay JSON, and no bit of them can change.
func TestObject(t *testing.T) {
	for _, text := range []string{`{"a":{"b":1}}`, "{\n \"a\": {\n  \"b\": 1\n }\n}\n"} {
		sealed := Object([]byte(text))
		var v struct{ A struct{ B int } }
		if err := json.Unmarshal(sealed, &v); err != nil || v.A.B != 1 {
			t.Errorf("%s: %+v, %v", sealed, v, err)
		}
		if err := Check(sealed); err != nil {
			t.Errorf("%s: %v", sealed, err)
		}
		for i := range 8 * len(sealed) {
			bad := bytes.Clone(sealed)
			bad[i/8] ^= 1 << (i % 8)
			if Check(bad) == nil {
				t.Errorf("bit %d flipped: %q passes", i, bad)
			}
		}
		for n := range sealed {
			if Check(sealed[:n]) == nil {
				t.Errorf("cut to %d bytes it passes", n)
			}
		}
	}
	if Check([]byte(`{"a":1}`)) == nil {
		t.Error("an object without a checksum passes")
	}
}
