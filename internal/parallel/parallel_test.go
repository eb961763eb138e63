package parallel

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestEach checks that every piece is done once, and that of several errors the one
// of the smallest index is returned, whichever call ended first.
func TestEach(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	done := make([]int, 1000)
	if err := Each(len(done), func(i int) error { done[i]++; return nil }); err != nil {
		t.Fatal(err)
	}
	for i, times := range done {
		if times != 1 {
			t.Errorf("piece %d was done %d times", i, times)
		}
	}
	for range 200 {
		err := Each(100, func(i int) error {
			if i == 20 {
				runtime.Gosched() // so that it falls behind
			}
			if i >= 20 {
				return fmt.Errorf("piece %d", i)
			}
			return nil
		})
		if err == nil || err.Error() != "piece 20" {
			t.Fatalf("error %v, want piece 20's alone", err)
		}
	}
	sentinel := errors.New("mine")
	if err := Each(1, func(int) error { return sentinel }); err != sentinel {
		t.Errorf("error %v, want the piece's own", err)
	}
	if err := Each(3, func(int) error { panic("boo") }); err == nil || !strings.Contains(err.Error(), "boo") {
		t.Errorf("error %v, want the panic", err)
	}
}
