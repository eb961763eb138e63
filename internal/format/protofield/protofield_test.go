package protofield

import (
	"testing"

	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

// TestFields: what was appended is found again among other fields.
func TestFields(t *testing.T) {
	inner := AppendInt(nil, 1, 7)
	m := AppendDouble(nil, 1, 2.5)
	m = AppendInt(m, 2, 300)
	m = AppendFloat(m, 3, 1.5)
	m = AppendBytes(m, 4, inner)
	m = AppendInt(m, 2, 301)
	if got := Int(m, 2); got != 301 {
		t.Errorf("field 2 is %d, want its last value", got)
	}
	if got := Int(Bytes(m, 4), 1); got != 7 {
		t.Errorf("the message's field 1 is %d", got)
	}
	if Int(m, 1) != 0 || Int(m, 5) != 0 || Bytes(m, 2) != nil || Bytes(m, 5) != nil {
		t.Error("found a field of another type, or one that is not there")
	}
}

// FuzzFields: no bytes make the readers panic.
func FuzzFields(f *testing.F) {
	f.Add(AppendBytes(AppendInt(nil, 1, 5), 2, []byte("x")))
	f.Add([]byte{0x12})
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzlimit.Run(t, len(data), func() {
			Int(data, 1)
			Bytes(data, 2)
		})
	})
}
