package sinks

import (
	"encoding/json"
	"math"
	"testing"

	"fmsr.example/fmsr/internal/evaluate"
)

// TestObject checks that members keep their order, names are escaped, and numbers
// that are not finite become null.
func TestObject(t *testing.T) {
	text, err := json.Marshal(object{{"z", 1}, {"a\"\x01ρ", evaluate.Figure(math.NaN())}, {"f", object{}}, {"b", evaluate.Figure(0.1)}})
	must(t, err)
	if want := `{"z":1,"a\"\u0001ρ":null,"f":{},"b":0.1}`; string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
	if _, err := json.Marshal(object{{"bad", math.Inf(1)}}); err == nil {
		t.Error("Inf was written")
	}
}
