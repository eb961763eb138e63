package dataset

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/words"
)

// Seed is a seed to read: its files, its split and the numbers of its frames.
type Seed struct {
	Files
	Assignment
	Frames []int
	Stamps []infile.Stamp // of each file, when its header was read
}

// Run is the grid and the fields of all seeds of a simulation run.
type Run struct {
	field.Grid          // of x_hi; H and W are 0 until Measure has seen a seed
	Fields     []string // names of the channels, in the order of the files' last axis
	Lossy      Lossy    // of the seeds measured
}

// Measure reads the header of a seed, notes its files' stamps and returns the numbers of
// its frames. It returns an error unless the seed has the run's fields and the grid of the
// seeds measured before.
func (r *Run) Measure(s *Seed) ([]int, error) {
	a, err := s.Open()
	if err != nil {
		return nil, err
	}
	defer a.Close()
	s.Stamps = a.Stamps()
	path := s.Paths()[0]
	if a.C != len(r.Fields) {
		return nil, fmt.Errorf("%s: %s, but fields names %d: %s", path, words.Count(a.C, "channel"), len(r.Fields), strings.Join(r.Fields, " "))
	}
	if a.Domain != nil {
		if err := r.Settle(*a.Domain, path); err != nil {
			return nil, err
		}
	}
	if r.H == 0 {
		r.H, r.W = a.H, a.W
	}
	if a.H != r.H || a.W != r.W {
		return nil, fmt.Errorf("%s: grid %d x %d, but the simulations before it have %s", path, a.H, a.W, r.Grid)
	}
	found, err := a.Lossy(r.Fields)
	r.Lossy.Add(found)
	return a.Numbers(), err
}

// Settle takes the box of a seed's files, unless the spec has said it. It returns an error
// if the spec or the simulations before it have another domain.
func (r *Run) Settle(of field.Domain, path string) error {
	box, boundary, cure := "run.grid.box is", "run.grid.boundary is", ": leave it out of the spec, or correct it"
	if r.H > 0 {
		box, boundary, cure = "the simulations before it have", "the simulations before it have", ""
	}
	if r.Box == [2]float64{} {
		r.Box = of.Box
	}
	for i := range of.Box {
		if of.Box[i] > 0 && math.Abs(r.Box[i]-of.Box[i]) > sameLength*of.Box[i] {
			return fmt.Errorf("%s: a domain of [%g, %g], but %s [%g, %g]%s", path, of.Box[0], of.Box[1], box, r.Box[0], r.Box[1], cure)
		}
	}
	if of.Bounded && r.Boundary != of.Boundary {
		if cure != "" {
			cure = fmt.Sprintf(": set it to [%s, %s]", of.Boundary[0], of.Boundary[1])
		}
		return fmt.Errorf("%s: boundaries [%s, %s] along y and x, but %s [%s, %s]%s", path, of.Boundary[0], of.Boundary[1], boundary, r.Boundary[0], r.Boundary[1], cure)
	}
	return nil
}

// sameLength is the relative difference of equal lengths: files and specs round them.
const sameLength = 1e-5

// Numbers returns the numbers of n frames, 0 to n-1.
func Numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// ChooseFrames returns the wanted numbers out of those of all frames, in ascending order.
// An empty list means all. It returns an error if a wanted frame is missing.
func ChooseFrames(numbers, wanted []int) ([]int, error) {
	if len(wanted) == 0 {
		return numbers, nil
	}
	var chosen []int
	for _, n := range numbers {
		if slices.Contains(wanted, n) {
			chosen = append(chosen, n)
		}
	}
	for _, n := range wanted {
		if !slices.Contains(chosen, n) {
			which := ""
			if first, last := numbers[0], numbers[len(numbers)-1]; last >= len(numbers) {
				which = fmt.Sprintf(", %d to %d", first, last)
			}
			return nil, fmt.Errorf("%s%s, but frame %d is asked for", words.Count(len(numbers), "frame"), which, n)
		}
	}
	return chosen, nil
}

// Identify writes the paths and stamps of the seed's files, its split and its frames. A
// cache is stale if the hash of this text has changed.
func (s Seed) Identify(w io.Writer) {
	fmt.Fprintf(w, "%q %v %+v %s %v\n", s.Paths(), s.Stamps, s.Form, s.Split, s.Frames)
	if s.Trajectory != 0 {
		fmt.Fprintf(w, "trajectory %d\n", s.Trajectory)
	}
	if s.View != nil {
		fmt.Fprintf(w, "%+v\n", *s.View)
	}
}

// Reopen opens the seed's files again. It returns an error if one of them has been replaced
// or changed since Measure read it.
func (s Seed) Reopen() (*Arrays, error) {
	a, err := s.Open()
	if err != nil {
		return nil, err
	}
	if err := a.were(s.Stamps); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// Emit sends the seed's frames in their order, (1,H,W,C) each, and stops when ctx
// ends. send owns the frame.
func (s Seed) Emit(ctx context.Context, mem memory.Allocator, run Run, send func(*frames.Frames) error) error {
	a, err := s.Reopen()
	if err != nil {
		return err
	}
	defer a.Close()
	for _, i := range s.Frames {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f, err := s.Read(a, mem, run, i)
		if err != nil {
			return err
		}
		if err := send(f); err != nil {
			return err
		}
	}
	return nil
}

// Read returns frame i of the seed's open files, (1,H,W,C). Release it.
func (s Seed) Read(a *Arrays, mem memory.Allocator, run Run, i int) (*frames.Frames, error) {
	values, err := a.Frame(mem, i)
	if err != nil {
		return nil, err
	}
	origin := []frames.Origin{{Seed: s.Seed, Frame: i, Split: s.Split, Moment: a.Moment(i)}}
	grid := run.Grid
	grid.H, grid.W = a.H, a.W
	return frames.New(run.Fields, grid, origin, values, nil), nil
}
