package tfevents

import (
	"bytes"
	"math"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/testkit/cutlog"
	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

// logOf is a file with a scalar at each of the steps.
func logOf(t testing.TB, steps []int) []byte {
	t.Helper()
	var b bytes.Buffer
	at := time.Unix(1, 0)
	if err := WriteVersion(&b, at); err != nil {
		t.Fatal(err)
	}
	for _, n := range steps {
		var s Summary
		s.Scalar("val/mse", 0.5)
		if err := WriteSummary(&b, at, n, s); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestUpTo(t *testing.T) {
	cutlog.Test(t, func(steps []int) []byte { return logOf(t, steps) }, UpTo)
}

func TestUpToDamaged(t *testing.T) {
	data, kept := logOf(t, []int{2, 4, 6, 8}), len(logOf(t, []int{2, 4, 6}))
	data[kept+20] ^= 1
	if got, err := UpTo(data, 100); got != kept || err != nil {
		t.Errorf("damaged after the third step: %d bytes kept, %v, want %d", got, err, kept)
	}
	for at := len(logOf(t, nil)); at < kept; at++ {
		data := logOf(t, []int{2, 4, 6, 8})
		data[at] ^= 1
		if got, err := UpTo(data, 100); err == nil {
			t.Errorf("byte %d, before the last step, changed: %d bytes kept, and no error", at, got)
		}
	}
}

func TestImageRefused(t *testing.T) {
	var s Summary
	if err := s.Image("velx", []byte("no picture")); err == nil {
		t.Error("what is no PNG was taken")
	}
}

// FuzzUpTo: no bytes make the reader fail.
func FuzzUpTo(f *testing.F) {
	f.Add(logOf(f, []int{1}))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzlimit.Run(t, len(data), func() {
			if n, _ := UpTo(data, 5); n < 0 || n > len(data) {
				t.Errorf("%d bytes kept of %d", n, len(data))
			}
		})
	})
}

// TestScalarsBeyondFloat32 are left out, neither zero nor infinite.
func TestScalarsBeyondFloat32(t *testing.T) {
	for value, kept := range map[float64]bool{0: true, 0.5: true, -3e38: true, 1e-37: true, 1e-51: false, -1e-40: false, 3.5e38: false, math.Inf(1): false, math.NaN(): false} {
		var s Summary
		s.Scalar("x", value)
		if (s.message != nil) != kept {
			t.Errorf("%g: kept %t, want %t", value, !kept, kept)
		}
	}
}
