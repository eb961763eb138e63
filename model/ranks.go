package model

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/torchx"
)

// ranks is a trainer's place among the ranks of a data-parallel training. Every rank
// holds the whole state. Of each batch of B samples, rank r of N takes samples
// [r B/N, (r+1) B/N). The ranks' gradients are averaged in the backward pass, so that
// every rank makes the same update and the states stay equal, bit for bit:
//
//	rank 0:  rows 0 .. B/N-1      --> loss, gradients --.               .--> update
//	rank 1:  rows B/N .. 2B/N-1   --> loss, gradients --+--> average ---+--> update
//	...                                                 '               '
type ranks struct {
	group   *torchx.Group
	reducer *torchx.Reducer
}

func (r *ranks) close() {
	if r != nil {
		r.reducer.Close()
	}
}

// rows returns the place of this rank's rows in a batch of which it has n, and the
// number of the batch's rows.
func (r *ranks) rows(n int64) (from, batch int64) {
	if r == nil {
		return 0, n
	}
	return n * int64(r.group.Rank), n * int64(r.group.Size)
}

// average replaces x, of any shape, by its mean over the ranks.
func (r *ranks) average(s *torchx.Scope, x torchx.Tensor) {
	s.AllReduce(r.group, x)
	s.Copy(x, s.Affine(x, 1/float64(r.group.Size), 0))
}

// Join makes the trainer one of a group's ranks, all of which call it with trainers of
// the same kind. The state becomes that of rank 0: weights, average, moments, step and
// counts. If bf16, gradients are sent and summed in bf16. The group must outlive the
// trainer.
func (t *Trainer) Join(ctx context.Context, g *torchx.Group, bf16 bool) error {
	err := t.Do(ctx, func(s *torchx.Scope) error {
		if err := t.checkSame(s, g, bf16); err != nil {
			return err
		}
		if err := t.broadcast(s, g); err != nil {
			return err
		}
		t.ranks = &ranks{group: g, reducer: s.NewReducer(g, Tensors(t.Net), bf16)}
		return s.Err()
	})
	if err != nil {
		return fmt.Errorf("rank %d of %d: bringing the ranks to one state: %w", g.Rank, g.Size, err)
	}
	return nil
}

// checkSame returns an error unless all ranks train the same network in the same way.
func (t *Trainer) checkSame(s *torchx.Scope, g *torchx.Group, bf16 bool) error {
	c := t.Net.Config()
	c.Device = torchx.CPU // each rank may have a device of another number
	all := s.AllGatherBytes(g, fmt.Appendf(nil, "%+v, %+v, bf16 gradients %v", c, t.Hyper, bf16))
	for r, other := range all {
		if !bytes.Equal(other, all[0]) {
			return fmt.Errorf("rank %d trains with %s, and rank 0 with %s", r, other, all[0])
		}
	}
	return s.Err()
}

// progress is the part of a trainer's state that is not in tensors.
type progress struct {
	Position
	Last    Result
	Best    Best
	Skips   Skips
	Window  Window
	Average *Averaging
}

// broadcast makes the trainer's state that of rank 0.
func (t *Trainer) broadcast(s *torchx.Scope, g *torchx.Group) error {
	lists := t.lists()
	for _, list := range append(lists[:], []torchx.Tensor{t.report}) {
		for _, x := range list {
			s.Broadcast(g, x, 0)
		}
	}
	var mine bytes.Buffer
	if err := gob.NewEncoder(&mine).Encode(progress{t.Position, t.Last, t.Best, t.Skips, t.Window, t.average}); err != nil {
		return err
	}
	theirs := s.BroadcastBytes(g, mine.Bytes(), 0)
	if s.Err() != nil {
		return s.Err()
	}
	var p progress
	if err := gob.NewDecoder(bytes.NewReader(theirs)).Decode(&p); err != nil {
		return err
	}
	t.Position, t.Last, t.Best, t.Skips, t.Window, t.average = p.Position, p.Last, p.Best, p.Skips, p.Window, p.Average
	return nil
}

// ErrApart is the error of ranks whose states differ.
var ErrApart = errors.New("the ranks have come apart")

// CheckRanks returns an error that names the ranks whose weights, average or moments
// differ in any bit from those of most ranks. All ranks call it, and all get the same
// error.
func (t *Trainer) CheckRanks(ctx context.Context) error {
	if t.ranks == nil {
		return nil
	}
	g := t.ranks.group
	return t.Do(ctx, func(s *torchx.Scope) error {
		mine := binary.LittleEndian.AppendUint64(nil, uint64(t.Step))
		for _, list := range t.lists() {
			sum := make([]int64, 1)
			torchx.Read(s, s.BitSum(list), sum)
			mine = binary.LittleEndian.AppendUint64(mine, uint64(sum[0]))
		}
		all := s.AllGatherBytes(g, mine)
		if s.Err() != nil {
			return s.Err()
		}
		return compareSums(all)
	})
}

// compareSums compares the checksums of the ranks: the step, and a number for each of
// trainingKeys.
func compareSums(all [][]byte) error {
	reference, most := 0, 0
	for r, sums := range all {
		same := 0
		for _, other := range all {
			if bytes.Equal(sums, other) {
				same++
			}
		}
		if same > most {
			reference, most = r, same
		}
	}
	if most == len(all) {
		return nil
	}
	names := append([]string{"step"}, trainingKeys[:]...)
	var differ []string
	for r, sums := range all {
		var what []string
		for i, name := range names {
			if !slices.Equal(sums[8*i:8*i+8], all[reference][8*i:8*i+8]) {
				what = append(what, name)
			}
		}
		if what != nil {
			differ = append(differ, fmt.Sprintf("rank %d (%s)", r, strings.Join(what, ", ")))
		}
	}
	return fmt.Errorf("%w at step %d: %s differs from rank %d, and every rank should have the same bits", ErrApart,
		binary.LittleEndian.Uint64(all[reference]), strings.Join(differ, " and "), reference)
}
