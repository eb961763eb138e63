package frames

import (
	"testing"

	"fmsr.example/fmsr/internal/field"
)

func TestReferences(t *testing.T) {
	pool := NewPool()
	whole := NewBuffer(pool, 8)
	a := New([]string{"a"}, field.Grid{H: 2, W: 2}, []Origin{{Seed: 3, Frame: 1, Split: Val}}, Slice(whole, 0, 16), NewBuffer(pool, 4))
	b := New([]string{"a"}, field.Grid{H: 2, W: 2}, []Origin{{}}, Slice(whole, 16, 16), nil)
	whole.Release()
	if a.Origin() != "seed 3, frame 1" || a.Split() != Val || a.N() != 1 || a.FrameLen() != 4 {
		t.Errorf("%s, %s, %d frames of %d", a.Origin(), a.Split(), a.N(), a.FrameLen())
	}
	a.Retain()
	a.Release()
	b.Release()
	if used := pool.InUse(); used != 2*page {
		t.Errorf("%d bytes in use while both pieces are referenced", used)
	}
	a.Release()
	if pool.InUse() != 0 {
		t.Errorf("after the last release: %d bytes in use", pool.InUse())
	}
	defer func() {
		if recover() == nil {
			t.Error("a release too many went unnoticed")
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	}()
	a.Release()
}

// TestPoolReuses: memory that was freed is given out again for the same size.
func TestPoolReuses(t *testing.T) {
	pool := NewPool()
	defer pool.Close()
	a := pool.Allocate(5000)
	a[0] = 7
	pool.Free(a)
	b := pool.Allocate(4097) // the same two pages
	if &a[0] != &b[0] || len(b) != 4097 {
		t.Error("the freed pages were not given out again")
	}
	grown := pool.Reallocate(20000, b)
	if grown[0] != 7 || len(grown) != 20000 {
		t.Error("growing lost the contents")
	}
	pool.Free(grown)
	if pool.InUse() != 0 {
		t.Errorf("%d bytes in use", pool.InUse())
	}
	if pool.Allocate(0) != nil {
		t.Error("nothing has an address")
	}
}

func TestSplitNames(t *testing.T) {
	for _, s := range []Split{Train, Val, Test} {
		if back, err := ParseSplit(s.String()); err != nil || back != s {
			t.Errorf("%s became %v, %v", s, back, err)
		}
	}
	if _, err := ParseSplit("dev"); err == nil {
		t.Error("dev is no split")
	}
}
