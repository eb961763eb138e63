package model

// workspace is the memory of a convolution divided by the memory of its values: the
// convolution makes padded and reordered copies. It was measured as the peak of whole
// runs on the CPU.
const workspace = 3

// SampleBytes estimates the memory of one evaluation for one h x w sample, without
// the weights: the skips, and at the widest point of the finest level the block's
// input, its normalized copy and its output. Attention keeps no table of all pairs.
func (u *UNet) SampleBytes(h, w int) int64 {
	mult := u.config.Mult
	values := float64(mult[0]) // the stem's output
	cells := 1.0
	for level, m := range mult {
		values += resBlocks * float64(m) * cells
		cells /= 4
		if level+1 < len(mult) {
			values += float64(m) * cells // the block that halves the grid
		}
	}
	widest := float64(mult[0])
	if len(mult) > 1 {
		widest += float64(mult[1])
	}
	values += 3 * widest
	return int64(4 * workspace * values * float64(u.config.Channels) * float64(h) * float64(w))
}
