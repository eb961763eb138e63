package framecache

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/seal"
)

// Format is the version of the caches that are written and read here.
const Format = 2

// Tensor is the position of a frame's values in frames.arrow.
type Tensor struct {
	Offset int64  `json:"offset"`
	CRC    uint32 `json:"crc32c"`
}

// Entry is a frame: x_hi and, where it came with one, x_lo.
type Entry struct {
	Seed  int    `json:"seed"`
	Frame int    `json:"frame"`
	Split string `json:"split"`
	Tensor
	Lo     *Tensor       `json:"x_lo,omitempty"`
	Moment frames.Moment `json:"moment,omitzero"`
}

// Tensors returns the frame's tensors, in the file's order.
func (e Entry) Tensors() []Tensor {
	if e.Lo == nil {
		return []Tensor{e.Tensor}
	}
	return []Tensor{e.Tensor, *e.Lo}
}

// Contents is index.json, which is written last: without it there is no cache.
type Contents struct {
	Format   int      `json:"format"`
	Channels []string `json:"channels"`
	H        int      `json:"h"`
	W        int      `json:"w"`
	Bytes    int64    `json:"bytes"`       // of frames.arrow
	CRC      uint32   `json:"file_crc32c"` // of all these bytes, also those around the tensors
	Frames   []Entry  `json:"frames"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Summed is a writer that computes the CRC-32C of the bytes that it passes on.
type Summed struct {
	io.Writer
	sum uint32
}

// Write passes data on.
func (s *Summed) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	s.sum = crc32.Update(s.sum, castagnoli, p[:n])
	return n, err
}

// Sum32 returns the checksum of the bytes so far.
func (s *Summed) Sum32() uint32 { return s.sum }

// Encode returns the text of index.json.
func (c Contents) Encode() ([]byte, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return seal.Object(text), nil
}

// Digests identifies the frames of each split.
func (c Contents) Digests() map[frames.Split]string {
	return frames.Digests(len(c.Frames), func(i int) (frames.Origin, []uint32) {
		e := c.Frames[i]
		split, _ := frames.ParseSplit(e.Split) // checked when it was read
		var sums []uint32
		for _, t := range e.Tensors() {
			sums = append(sums, t.CRC)
		}
		return frames.Origin{Seed: e.Seed, Frame: e.Frame, Split: split}, sums
	})
}

// FrameBytes returns the size of a tensor (C,H,W).
func (c Contents) FrameBytes() int64 { return 4 * int64(len(c.Channels)) * int64(c.H) * int64(c.W) }

// parse reads an index and checks it for contradictions. Errors name the file.
func (c *Contents) parse(index io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(index, 1<<30))
	if err == nil {
		err = seal.Check(text)
	}
	if err == nil {
		err = json.Unmarshal(text, c)
	}
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", Index, err)
	}
	return nil
}

// check returns an error unless the tensors follow each other within the file.
func (c *Contents) check() error {
	if c.Format != Format {
		return fmt.Errorf("format %d, want %d: another fmsr wrote it", c.Format, Format)
	}
	if len(c.Frames) == 0 {
		return errors.New("no frames")
	}
	values := 1
	for _, d := range []int{len(c.Channels), c.H, c.W} {
		if d < 1 || d > math.MaxInt32/values {
			return fmt.Errorf("%d channels at %d x %d", len(c.Channels), c.H, c.W)
		}
		values *= d
	}
	end := int64(0)
	for _, e := range c.Frames {
		_, err := frames.ParseSplit(e.Split)
		if err != nil || (e.Lo != nil) != (c.Frames[0].Lo != nil) {
			return fmt.Errorf("seed %d, frame %d: split %q, x_lo %v", e.Seed, e.Frame, e.Split, e.Lo)
		}
		for _, t := range e.Tensors() {
			if t.Offset < end || t.Offset%4 != 0 || t.Offset > c.Bytes-c.FrameBytes() {
				return fmt.Errorf("seed %d, frame %d: byte %d after byte %d of %d", e.Seed, e.Frame, t.Offset, end, c.Bytes)
			}
			end = t.Offset + c.FrameBytes()
		}
	}
	return nil
}
