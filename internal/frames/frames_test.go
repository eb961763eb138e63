package frames

import (
	"testing"

	"fmsr/internal/field"
)

func TestReferences(t *testing.T) {
	pool := NewPool()
	freed := 0
	whole := Foreign(make([]byte, 32), func() { freed++ })
	a := New([]string{"a"}, field.Grid{H: 2, W: 2}, []Origin{{Seed: 3, Frame: 1, Split: Val}}, Slice(whole, 0, 16), NewBuffer(pool, 4))
	b := New([]string{"a"}, field.Grid{H: 2, W: 2}, []Origin{{}}, Slice(whole, 16, 16), nil)
	whole.Release()
	if a.Origin() != "seed 3, frame 1" || a.Split() != Val || a.N() != 1 || a.FrameLen() != 4 {
		t.Errorf("%s, %s, %d frames of %d", a.Origin(), a.Split(), a.N(), a.FrameLen())
	}
	a.Retain()
	a.Release()
	b.Release()
	if freed != 0 || pool.InUse() == 0 {
		t.Error("memory went back while it was referenced")
	}
	a.Release()
	if freed != 1 || pool.InUse() != 0 {
		t.Errorf("after the last release: freed %d times, %d bytes in use", freed, pool.InUse())
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

// TestPoolReuses: a size that was freed is given out again, not mapped anew.
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
