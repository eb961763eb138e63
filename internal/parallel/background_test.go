package parallel

import (
	"errors"
	"testing"
)

// TestBackground: one piece after the other, and an error is returned once.
func TestBackground(t *testing.T) {
	var b Background
	failed := errors.New("failed")
	n := 0 // each piece sees what the one before it did
	for range 3 {
		if err := b.Start(func() error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Start(func() error { return failed }); err != nil || n != 3 {
		t.Fatalf("%v after %d pieces", err, n)
	}
	if err := b.Start(func() error { n++; return nil }); !errors.Is(err, failed) {
		t.Errorf("started after an error: %v", err)
	}
	if err := b.Wait(); err != nil || n != 3 {
		t.Errorf("%v after %d pieces", err, n)
	}
}
