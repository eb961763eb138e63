package torchx

import (
	"slices"
	"testing"
)

// TestTransfer checks that uploads and downloads have the values as they were when each was
// asked for, although the values change at once, with many under way.
func TestTransfer(t *testing.T) {
	device, before := testDevice(t), Live()
	inThread(t, func(s *Scope) error {
		values := make([]float32, 2*3*64*64)
		sum := s.Full(0, Float64, device, 1)
		var sums []*Download
		for n := range 20 {
			for i := range values {
				values[i] = float32(n + i%3)
			}
			x := Upload(s, values, Float32, device, NHWC, 2, 3, 64, 64)
			s.AddInPlace(sum, s.Mean(x), 1)
			sums = append(sums, s.Download(sum))
			if n == 0 && !slices.Equal(s.Floats(x), values) {
				t.Error("the values arrive in another order")
			}
		}
		for n, d := range sums {
			got := make([]float64, 1)
			End(s, d, got)
			d.Free()
			if want := float64((n + 1) * (n + 2) / 2); got[0] != want { // of means 1, 2, ...
				t.Errorf("the sum of %d is %g, want %g", n+1, got[0], want)
			}
		}
		d, wrong := s.Download(sum), NewScope()
		defer d.Free()
		if End(wrong, d, make([]float64, 2)); wrong.Err() == nil {
			t.Error("a download of one number fills two")
		}
		return s.Err()
	})
	if left := Live() - before; left != 0 {
		t.Errorf("%d tensors left", left)
	}
}
