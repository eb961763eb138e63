// Package frames is the element that flows from the loader to the trainer: MHD frames
// on Arrow memory, with their grid and origin.
//
//	Frames
//	  Grid      128 x 128, its box and boundaries
//	  Channels  [density velx ...]        Origins  [{seed 3, frame 17, train} ...], one a frame
//	  Hi        (N,H,W,C) as stored, then (N,C,H,W)        x_hi, physical or normalized
//	  Lo        (N,C,H,W)                                  x_lo, once pool_upsample or the source has made it
//
// A Frames is shared by reference count: every holder releases it once. The last
// release gives its memory back to the pool.
package frames

import (
	"fmt"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/field"
)

// Split is the use of a seed's frames: training, validation or test.
type Split int8

// The splits.
const (
	Train Split = iota
	Val
	Test
)

func (s Split) String() string { return [...]string{"train", "val", "test"}[s] }

// ParseSplit returns the split of that name.
func ParseSplit(name string) (Split, error) {
	for _, s := range []Split{Train, Val, Test} {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("split %q: want train, val or test", name)
}

// Origin is where a frame comes from. Frame is its index in its file, Sample its
// index in the ensemble that a model made of it.
type Origin struct {
	Seed, Frame int
	Split       Split
	Sample      int
	Moment      Moment
}

// Moment is when a frame is of: the simulation's time, in its own unit, and its number of
// steps. It is a value. Its zero value is an unknown moment.
type Moment struct {
	Known bool    `json:"known"`
	Time  float64 `json:"time"`
	Cycle int     `json:"cycle"`
}

// Label returns the frame's number and time, for pictures: "frame 17, t = 6.283".
func (o Origin) Label() string {
	if !o.Moment.Known {
		return fmt.Sprintf("frame %d", o.Frame)
	}
	return fmt.Sprintf("frame %d, t = %.4g", o.Frame, o.Moment.Time)
}

func (o Origin) String() string { return fmt.Sprintf("seed %d, frame %d", o.Seed, o.Frame) }

// Part names the frames that a source sends one after the other, and that a sink keeps
// one result of: those of a seed or, if the seed is cut in time, those of a split.
type Part struct {
	Seed  int
	Split string // empty: the whole seed
}

// PartOf returns the part of a split's frames, of a seed that is cut or not.
func PartOf(seed int, split Split, cut bool) Part {
	if cut {
		return Part{seed, split.String()}
	}
	return Part{Seed: seed}
}

// String returns a name for files, "seed_0003" or "seed_0003.val".
func (p Part) String() string {
	if p.Split == "" {
		return fmt.Sprintf("seed_%04d", p.Seed)
	}
	return fmt.Sprintf("seed_%04d.%s", p.Seed, p.Split)
}

// Frames is N >= 1 frames of the same channels and grid.
type Frames struct {
	field.Grid
	Channels []string
	Origins  []Origin

	Hi *memory.Buffer // float32; (N,H,W,C) while Stored, else (N,C,H,W)
	Lo *memory.Buffer // float32 (N,C,H,W), nil until made

	// Coarse holds a coarse run's frames on their own grid, (N,C,H/f,W/f). Only
	// pair_load sets it, and interpolates x_lo from it.
	Coarse *memory.Buffer

	refs atomic.Int32
}

// New makes frames that take over the caller's reference to hi and to lo, which may
// be nil. They have one reference themselves.
func New(channels []string, grid field.Grid, origins []Origin, hi, lo *memory.Buffer) *Frames {
	f := &Frames{Grid: grid, Channels: channels, Origins: origins, Hi: hi, Lo: lo}
	f.refs.Store(1)
	return f
}

// N returns the number of frames.
func (f *Frames) N() int { return len(f.Origins) }

// FrameLen returns the number of values of one frame: C H W.
func (f *Frames) FrameLen() int { return len(f.Channels) * f.Cells() }

// XHi returns the values of x_hi, as Hi holds them.
func (f *Frames) XHi() []float32 { return Floats(f.Hi) }

// XLo returns the values of x_lo (N,C,H,W); nil before it is made.
func (f *Frames) XLo() []float32 {
	if f.Lo == nil {
		return nil
	}
	return Floats(f.Lo)
}

// Split returns the split of the frames. All frames have the same split.
func (f *Frames) Split() Split { return f.Origins[0].Split }

// Origin returns the first frame's origin, for messages.
func (f *Frames) Origin() string { return f.Origins[0].String() }

// Names returns the origins of several frames, for messages: "seed 3, frames 4, 9; seed 5, frame 0".
func Names(origins []Origin) string {
	var text []string
	for i, o := range origins {
		if i > 0 && o.Seed == origins[i-1].Seed {
			text[len(text)-1] = strings.Replace(text[len(text)-1], "frame ", "frames ", 1) + fmt.Sprintf(", %d", o.Frame)
			continue
		}
		text = append(text, o.String())
	}
	return strings.Join(text, "; ")
}

// First returns the first n frames, which share the memory of f.
func (f *Frames) First(n int) *Frames {
	part := func(b *memory.Buffer) *memory.Buffer {
		if b == nil {
			return nil
		}
		return Slice(b, 0, b.Len()/f.N()*n)
	}
	first := New(f.Channels, f.Grid, f.Origins[:n], part(f.Hi), part(f.Lo))
	first.Coarse = part(f.Coarse)
	return first
}

// Retain adds a reference.
func (f *Frames) Retain() { f.refs.Add(1) }

// Release drops a reference; the last one frees the memory.
func (f *Frames) Release() {
	switch n := f.refs.Add(-1); {
	case n > 0:
	case n < 0:
		panic("frames: released more often than retained: " + f.Origin())
	default:
		f.Hi.Release()
		if f.Lo != nil {
			f.Lo.Release()
		}
		if f.Coarse != nil {
			f.Coarse.Release()
		}
	}
}

// Floats views a buffer's bytes as float32 values.
func Floats(b *memory.Buffer) []float32 { return arrow.Float32Traits.CastFromBytes(b.Bytes()) }

// Bytes views values as the bytes that hold them.
func Bytes(values []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values))
}

// NewBuffer returns an uninitialized buffer of that many float32 values.
func NewBuffer(mem memory.Allocator, values int) *memory.Buffer {
	b := memory.NewResizableBuffer(mem)
	b.Resize(4 * values)
	return b
}

// Slice returns a view of length bytes of b from offset on. It keeps b alive.
func Slice(b *memory.Buffer, offset, length int) *memory.Buffer {
	return memory.SliceBuffer(b, offset, length)
}

// At adds the origin of a frame to an error about it, for work on several frames at
// once. Without it, messages name the frame being processed.
func At(o Origin, err error) error { return &atError{o, err} }

type atError struct {
	origin Origin
	err    error
}

func (e *atError) Error() string  { return e.err.Error() }
func (e *atError) Unwrap() error  { return e.err }
func (e *atError) Origin() string { return e.origin.String() }
