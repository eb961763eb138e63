package frames

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// Digests returns a hash of the frames of each split: their seeds, numbers and checksums,
// in their order. frame gives the origin of frame i and the checksums of its tensors.
func Digests(n int, frame func(i int) (Origin, []uint32)) map[Split]string {
	hashes := map[Split]hash.Hash{}
	for i := range n {
		o, sums := frame(i)
		if hashes[o.Split] == nil {
			hashes[o.Split] = sha256.New()
		}
		fmt.Fprintf(hashes[o.Split], "%d %d %08x\n", o.Seed, o.Frame, sums)
	}
	digests := map[Split]string{}
	for split, h := range hashes {
		digests[split] = hex.EncodeToString(h.Sum(nil))
	}
	return digests
}
