package torchx

import (
	"context"
	"slices"
	"testing"
	"time"
)

// step is a small forward and backward pass, in parts.
func step(s *Scope) error {
	w := s.Randn(2, 4, 4, 3, 3)
	s.RequiresGrad(w, true)
	var loss Tensor
	s.Part("forward", func() {
		h := s.SiLU(s.Conv2d(s.Randn(1, 2, 4, 16, 16), w, Tensor{}, false))
		loss = s.Mean(h)
	})
	s.Backward(loss)
	s.ZeroGrads([]Tensor{w})
	return s.Err()
}

// TestRecord checks that spans are within their parents: forward ops in their part,
// backward nodes in the backward pass, and all of them in the call.
func TestRecord(t *testing.T) {
	ctx := context.Background()
	thread, err := StartThread(2)
	if err != nil {
		t.Fatal(err)
	}
	defer thread.Close()
	do := func() {
		if err := thread.Do(ctx, step); err != nil {
			t.Fatal(err)
		}
	}
	do() // not recorded
	if err := thread.Record(ctx); err != nil {
		t.Fatal(err)
	}
	if err := thread.Record(ctx); err == nil {
		t.Error("a thread is recorded twice at once")
	}
	begin := time.Now()
	do()
	_ = thread.Do(ctx, func(s *Scope) error { s.Add(s.Randn(1, 2), s.Randn(1, 3)); return nil }) // fails
	end := time.Now()
	spans, err := thread.Recorded(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := thread.Recorded(ctx); err == nil {
		t.Errorf("a recording that had ended gave %d spans", len(again))
	}
	do() // not recorded either

	count := map[string]int{}
	for i, s := range spans {
		path := []string{s.Name}
		for up := s.Parent; up >= 0; up = spans[up].Parent {
			path = append([]string{spans[up].Name}, path...)
		}
		count[s.Name]++
		if s.End.Before(s.Begin) || s.Begin.Before(begin.Add(-time.Millisecond)) || s.End.After(end.Add(time.Millisecond)) {
			t.Errorf("%v: from %v to %v, want within %v", path, s.Begin.Sub(begin), s.End.Sub(begin), end.Sub(begin))
		}
		if s.Parent >= 0 {
			p := spans[s.Parent]
			if s.Parent >= i || s.Begin.Before(p.Begin) || s.End.After(p.End) {
				t.Errorf("%v does not lie in its parent", path)
			}
		}
		if want := map[string]string{"conv2d": "forward", "ConvolutionBackward0": "backward", "aten::convolution_backward": "backward"}[s.Name]; want != "" && path[0] != want {
			t.Errorf("%v: want it in %s", path, want)
		}
		if (s.Name == "forward" || s.Name == "backward" || s.Name == "zero_grad") && s.Parent >= 0 {
			t.Errorf("%v: want it by itself", path)
		}
	}
	for _, name := range []string{"forward", "conv2d", "aten::conv2d", "backward", "ConvolutionBackward0", "aten::convolution_backward", "zero_grad"} {
		if count[name] != 1 {
			t.Errorf("%s: %d spans, want 1", name, count[name])
		}
	}
	if !slices.ContainsFunc(spans, func(s Span) bool { return s.Name == "add" }) {
		t.Error("an op that fails has no span")
	}
}

// TestRecordIsOfOneThread checks that a recording has no ops of another thread, and
// that a thread that is closed during a recording leaves nothing behind.
func TestRecordIsOfOneThread(t *testing.T) {
	ctx := context.Background()
	one, err := StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	other, err := StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Record(ctx); err != nil {
		t.Fatal(err)
	}
	if err := other.Record(ctx); err != nil {
		t.Fatal(err)
	}
	if err := other.Do(ctx, step); err != nil {
		t.Fatal(err)
	}
	other.Close()
	if spans, err := one.Recorded(ctx); err != nil || len(spans) != 0 {
		t.Errorf("%d spans, %v: want none", len(spans), err)
	}
	one.Close()
}
