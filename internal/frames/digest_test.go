package frames

import (
	"slices"
	"testing"
)

// TestDigests: values, order, seeds and numbers each change the digest of their split, and
// of no other.
func TestDigests(t *testing.T) {
	type frame struct {
		Origin
		sum uint32
	}
	digests := func(list []frame) map[Split]string {
		return Digests(len(list), func(i int) (Origin, []uint32) { return list[i].Origin, []uint32{list[i].sum, 7} })
	}
	list := []frame{
		{Origin{Seed: 1 << 40, Frame: 0, Split: Val}, 5}, {Origin{Seed: 2, Frame: 0}, 1}, {Origin{Seed: 2, Frame: 1}, 2},
	}
	want := digests(list)
	if len(want) != 2 || len(want[Train]) != 64 {
		t.Errorf("digests %v", want)
	}
	for name, change := range map[string]func(l []frame){
		"value":  func(l []frame) { l[2].sum++ },
		"order":  func(l []frame) { l[1].sum, l[2].sum = l[2].sum, l[1].sum },
		"seed":   func(l []frame) { l[1].Seed++ },
		"number": func(l []frame) { l[2].Frame++ },
	} {
		changed := slices.Clone(list)
		change(changed)
		if got := digests(changed); got[Train] == want[Train] || got[Val] != want[Val] {
			t.Errorf("%s: %v, was %v", name, got, want)
		}
	}
}
