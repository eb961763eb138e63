package pipeline

import (
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
)

// What a stage outside this repository needs to take frames and to make new ones. Inside,
// stages import packages frames and field.
type (
	// Frames is the element that flows above the trainer: N >= 1 frames of the same fields and
	// grid, x_hi in Hi and x_lo in Lo.
	Frames = frames.Frames
	// Origin is where a frame comes from: its seed, its number and its split.
	Origin = frames.Origin
	// Split is the use of a frame.
	Split = frames.Split
	// PartName names the frames that a source sends one after the other: a seed's, or those of
	// one of its splits.
	PartName = frames.Part
	// Grid is the shape of a frame, with the domain's box and boundaries.
	Grid = field.Grid
)

// The splits.
const (
	Train = frames.Train
	Val   = frames.Val
	Test  = frames.Test
)

// NewFrames returns frames with one reference. They take over the caller's references to hi
// (N,C,H,W), or (N,H,W,C) while Stored, and to lo (N,C,H,W), which may be nil.
func NewFrames(channels []string, grid Grid, origins []Origin, hi, lo *memory.Buffer) *Frames {
	return frames.New(channels, grid, origins, hi, lo)
}

// NewBuffer returns a buffer of so many float32 values, which are not set yet. Stages
// allocate from Env.Mem.
func NewBuffer(mem memory.Allocator, values int) *memory.Buffer { return frames.NewBuffer(mem, values) }

// Floats returns a buffer's values, in place.
func Floats(b *memory.Buffer) []float32 { return frames.Floats(b) }

// At adds the origin of a frame to an error about it. Without At, the error of a stage that
// works on several frames at once names the first.
func At(o Origin, err error) error { return frames.At(o, err) }
