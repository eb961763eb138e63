package torchx

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestSeedsAre64Bits checks that all bits of a seed count. rng.Stream gives 64, and
// 32 would not be enough to keep the steps of a long run apart.
func TestSeedsAre64Bits(t *testing.T) {
	inThread(t, func(s *Scope) error {
		for bit := range 64 {
			if a, b := s.Floats(s.Randn(5, 3)), s.Floats(s.Randn(5^1<<bit, 3)); a[0] == b[0] && a[1] == b[1] {
				t.Errorf("seeds that differ in bit %d give the same noise", bit)
			}
		}
		return s.Err()
	})
}

// TestNormSiLUShapes checks that shapes are refused with which the kernel would read
// beyond a tensor.
func TestNormSiLUShapes(t *testing.T) {
	for _, c := range []struct {
		groups, w, b int64
		film         []int64
	}{{4, 6, 6, nil}, {0, 6, 6, nil}, {3, 5, 6, nil}, {3, 6, 5, nil}, {3, 1, 6, nil}, {3, 6, 6, []int64{2, 10}}, {3, 6, 6, []int64{1, 12}}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			inThread(t, func(s *Scope) error {
				var film Tensor
				if c.film != nil {
					film = s.Randn(4, c.film...)
				}
				s.NormSiLU(s.Randn(1, 2, 6, 4, 4), c.groups, s.Randn(2, c.w), s.Randn(3, c.b), 1e-5, film)
				if s.Err() == nil || !strings.HasPrefix(s.Err().Error(), "norm_silu: ") {
					t.Errorf("error %v, want norm_silu's", s.Err())
				}
				s.err = nil
				return nil
			})
		})
	}
}

// TestThreadEnds checks that a call that ends its goroutine, as t.Fatal does,
// returns an error and hangs nobody, and that a call after Close does the same.
func TestThreadEnds(t *testing.T) {
	for range 10 {
		thread, err := StartThread(1)
		if err != nil {
			t.Fatal(err)
		}
		if err := thread.Do(context.Background(), func(*Scope) error { runtime.Goexit(); return nil }); err == nil {
			t.Error("Goexit was no error")
		}
		thread.Close()
		if err := thread.Do(context.Background(), func(*Scope) error { return nil }); err == nil {
			t.Error("no error after Close")
		}
	}
}
