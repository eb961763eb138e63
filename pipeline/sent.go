package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/frames"
)

// announced checks what a stage has announced in its Meta against the Meta of the stage
// above, and returns it as the stages below see it: without x_lo where the stage drops it.
func (n *node) announced(above, meta Meta) (Meta, error) {
	if meta.Stats != nil && meta.Stats == above.Stats && !slices.Equal(meta.Channels, above.Channels) {
		return meta, fmt.Errorf("changes the fields from %s to %s below normalize, which has a mean and a deviation for the former only: put it above normalize",
			strings.Join(above.Channels, ", "), strings.Join(meta.Channels, ", "))
	}
	if n.drops&Paired != 0 && n.sends&Steps == 0 {
		meta.Factor, meta.Periodic = 0, false
	}
	n.meta = meta
	return meta, nil
}

// check returns an error unless an element is what its stage has announced. A stage that
// forgets a part of the frames that it makes, such as x_lo, is found here, and not by a panic
// of a stage below.
func (n *node) check(e Element) error {
	if e == nil {
		return errors.New("sent nil")
	}
	if n.sends&Steps != 0 {
		return nil
	}
	f, ok := e.(*frames.Frames)
	if !ok {
		return fmt.Errorf("sent a %T: want a *pipeline.Frames", e)
	}
	if f.N() == 0 {
		return errors.New("sent frames without an origin: want one of each frame")
	}
	if err := n.checkFrames(f); err != nil {
		return frames.At(f.Origins[0], err)
	}
	return nil
}

// checkAll returns the first error of check.
func (n *node) checkAll(sent []Element) error {
	for _, e := range sent {
		if err := n.check(e); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) checkFrames(f *frames.Frames) error {
	m := n.meta
	for _, o := range f.Origins {
		if o.Split != f.Split() {
			return fmt.Errorf("sent frames of %s and %s in one element: want one split", f.Split(), o.Split)
		}
	}
	if m.Channels != nil && !slices.Equal(f.Channels, m.Channels) {
		return fmt.Errorf("sent the fields %s, and announced %s", strings.Join(f.Channels, ", "), strings.Join(m.Channels, ", "))
	}
	if m.Cells() > 0 && f.Grid != m.Grid {
		return fmt.Errorf("sent %s cells (box %v, boundaries %v), and announced %s (%v, %v)", f.Grid, f.Box, f.Boundary, m.Grid, m.Box, m.Boundary)
	}
	for _, part := range []struct {
		name   string
		values *memory.Buffer
		wanted bool
		length int
	}{
		{"x_hi", f.Hi, true, f.FrameLen()},
		{"x_lo", f.Lo, m.Factor != 0, f.FrameLen()},
		{"the coarse run's frames (Frames.Coarse)", f.Coarse, false, len(f.Channels) * f.Coarser(max(1, m.Factor)).Cells()},
	} {
		switch {
		case part.values == nil && part.wanted:
			return fmt.Errorf("sent frames without %s, which the stages below rely on: the stage has to carry it to the frames that it makes%s", part.name, n.orDeclare(part.name))
		case part.values != nil && part.values.Len() != 4*f.N()*part.length:
			return fmt.Errorf("sent %d bytes of %s: want %d, float32 of %d frames of %d fields on %s cells", part.values.Len(), part.name, 4*f.N()*part.length, f.N(), len(f.Channels), f.Grid)
		}
	}
	return nil
}

// orDeclare says what a stage that does not carry a part of the frames on can declare.
func (n *node) orDeclare(part string) string {
	if _, source := n.Stage.(Source); source || part != "x_lo" {
		return ""
	}
	return ", or its declaration has to say Link{Drops: pipeline.Paired}"
}
