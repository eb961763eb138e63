package model

import "fmsr.example/fmsr/internal/torchx"

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
	return bytesOf(workspace*values*float64(u.config.Channels), h, w)
}

// PackedBytes returns the most memory that a sampling takes to keep weights in the order
// in which convolutions read them: four times that of the weights, as long as
// torchx.KeepPacked takes so much.
func PackedBytes(n Net) int64 { return min(4*4*int64(Count(n)), torchx.MostPacked) }

// trainWorkspace is the memory of a training step divided by the memory of the values
// that the backward pass needs. It was measured as the peak of whole runs on the CPU,
// which the estimate meets within 10% for one to four levels.
const trainWorkspace = 1.2

// TrainBytes estimates the memory of a training step in float32 for one h x w sample,
// without the weights. The backward pass needs, of each residual block, the
// normalized input, both convolutions' outputs and the second one's normalized input;
// on the way up also the input, since that is a copy with the skip. Of attention it
// needs the normalized input, q, k and v, and both outputs.
func (u *UNet) TrainBytes(h, w int) int64 {
	values := float64(2 * u.config.Channels * u.config.Mult[0]) // the stem's output, and the last norm's
	cells := 1.0
	count := func(blocks []block, inputs float64) {
		for _, b := range blocks {
			switch b := b.(type) {
			case *resBlock:
				values += inputs * float64(b.in) * cells
				switch b.resample {
				case down:
					cells /= 4
				case up:
					cells *= 4
				}
				values += 3 * float64(b.out) * cells
			case *attention:
				values += 6 * float64(b.channels) * cells
			}
		}
	}
	for _, blocks := range u.input {
		count(blocks, 1)
	}
	count(u.middle, 1)
	for _, blocks := range u.output {
		count(blocks, 2)
	}
	return bytesOf(trainWorkspace*values, h, w)
}

// SampleTrainBytes estimates the memory of a training step for one h x w sample, without the
// weights: bf16 takes half of what float32 does.
func SampleTrainBytes(n Net, h, w int, bf16 bool) float64 {
	bytes := float64(n.TrainBytes(h, w))
	if bf16 {
		bytes /= 2
	}
	return bytes
}

// weightBytes is the memory of a training run for each parameter: the weight, its
// average, gradient and two moments, and the copy of all but the gradient from which
// checkpoints are written.
const weightBytes = 4 * (5 + 4)

// StepsOfForward is about how many times as long as its forward pass a training step takes.
const StepsOfForward = 3

// WeightBytes estimates the memory of a network's weights in training, with all that
// is kept beside them.
func WeightBytes(n Net) int64 { return weightBytes * int64(Count(n)) }

// bytesOf returns the memory of so many float32 values in each of h x w cells. A
// number beyond any memory is cut off.
func bytesOf(values float64, h, w int) int64 {
	return int64(min(4*values*float64(h)*float64(w), 1<<62))
}
