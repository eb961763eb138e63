package torchx

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// tape is a recorder without a device: a replay runs the work again.
type tape struct {
	err     error
	records int
	freed   int
}

func (*tape) able() bool { return true }

func (r *tape) record(_ *Scope, work func()) (func() error, func(), error) {
	r.records++
	work()
	return func() error { work(); return nil }, func() { r.freed++ }, r.err
}

// TestGraph checks that the first runs are plain, that each shape of inputs is then
// recorded once, and that later inputs are copied into the recording's own tensors.
func TestGraph(t *testing.T) {
	before := Live()
	var recorder tape
	inThread(t, func(s *Scope) error {
		g := &Graph{recorder: &recorder, shapes: map[string]*recording{}, notice: func(line string) { t.Error(line) }}
		sum := s.Keep(s.Full(0, Float32, CPU))
		ran := 0
		var first Tensor
		work := func(s *Scope, in []Tensor) []Tensor {
			ran++
			if ran == warmUp+1 {
				first = in[0]
			} else if ran > warmUp+1 && ran <= warmUp+4 && in[0].T != first.T {
				t.Errorf("run %d has other tensors than the record", ran)
			}
			mean := s.Keep(s.Mean(in[0]))
			s.AddInPlace(sum, mean, 1)
			Free(mean) // here, since the tape runs this after the recording's scope is closed
			return nil
		}
		for i := range warmUp + 3 {
			g.Run(s, []Tensor{s.Full(float64(i), Float32, CPU, 2, 3)}, work)
		}
		// the tape runs the work while it records, too, with the inputs of the first replay
		if got, want := s.Item(sum), float64(0+1+2+3+3+4+5); got != want {
			t.Errorf("sum %g, want %g", got, want)
		}
		if recorder.records != 1 {
			t.Errorf("%d records, want 1", recorder.records)
		}
		for range warmUp + 1 {
			g.Run(s, []Tensor{s.Full(0, Float32, CPU, 3, 3)}, work)
		}
		if recorder.records != 2 {
			t.Errorf("%d records of two shapes", recorder.records)
		}
		g.Close()
		Free(sum)
		return s.Err()
	})
	if recorder.freed != 2 {
		t.Errorf("%d records freed, want 2", recorder.freed)
	}
	if left := Live() - before; left != 0 {
		t.Errorf("%d tensors left", left)
	}
}

// TestGraphFails checks that if recording fails, one line says so and the work runs
// op by op from then on, once for each input.
func TestGraphFails(t *testing.T) {
	inThread(t, func(s *Scope) error {
		var lines []string
		recorder := tape{err: errors.New("operation not permitted")}
		g := &Graph{recorder: &recorder, shapes: map[string]*recording{}, notice: func(line string) { lines = append(lines, line) }}
		defer g.Close()
		var got []float64
		for i := range warmUp + 4 {
			out := g.Run(s, []Tensor{s.Full(float64(i), Float32, CPU)}, func(s *Scope, in []Tensor) []Tensor {
				return []Tensor{s.Affine(in[0], 2, 0)}
			})
			got = append(got, s.Item(out[0]))
		}
		if want := []float64{0, 2, 4, 6, 8, 10, 12}; !slices.Equal(got, want) {
			t.Errorf("outputs %v, want %v", got, want)
		}
		if want := "the step is not recorded as a CUDA graph, and runs op by op: operation not permitted"; fmt.Sprint(lines) != "["+want+"]" {
			t.Errorf("told %q, want %q", lines, want)
		}
		if recorder.records != 1 || recorder.freed != 1 {
			t.Errorf("%d records, %d freed, want one", recorder.records, recorder.freed)
		}
		return s.Err()
	})
}

// TestGraphOnCPU checks that nothing is recorded on the CPU.
func TestGraphOnCPU(t *testing.T) {
	inThread(t, func(s *Scope) error {
		g := NewGraph(CPU, func(line string) { t.Error(line) })
		defer g.Close()
		ran := 0
		for range 2 * warmUp {
			g.Run(s, nil, func(*Scope, []Tensor) []Tensor { ran++; return nil })
		}
		if ran != 2*warmUp || len(g.shapes) != 0 {
			t.Errorf("%d runs, %d shapes", ran, len(g.shapes))
		}
		return s.Err()
	})
}

// TestGraphShapes checks that no more shapes are recorded than memory is kept for.
func TestGraphShapes(t *testing.T) {
	inThread(t, func(s *Scope) error {
		var recorder tape
		g := &Graph{recorder: &recorder, shapes: map[string]*recording{}, notice: func(line string) { t.Error(line) }}
		defer g.Close()
		for n := range int64(mostShapes + 2) {
			for range warmUp + 2 {
				g.Run(s, []Tensor{s.Full(0, Float32, CPU, n+1)}, func(s *Scope, in []Tensor) []Tensor {
					Free(s.Keep(s.Mean(in[0])))
					return nil
				})
			}
		}
		if recorder.records != mostShapes {
			t.Errorf("%d records, want %d", recorder.records, mostShapes)
		}
		return s.Err()
	})
}

// TestOnDeviceGraph checks that recorded work does what it does unrecorded, and that work which
// waits for the device, so that it cannot be recorded, runs op by op and leaves nothing
// behind that keeps the next work from being recorded.
func TestOnDeviceGraph(t *testing.T) {
	device := testDevice(t)
	inThread(t, func(s *Scope) error {
		run := func(g *Graph, waits bool) {
			defer g.Close()
			for i := range warmUp + 4 {
				out := g.Run(s, []Tensor{s.Full(float64(i), Float32, device, 3)}, func(s *Scope, in []Tensor) []Tensor {
					if waits {
						s.Item(s.Mean(in[0]))
					}
					return []Tensor{s.Affine(in[0], 2, 1)}
				})
				if s.Err() != nil {
					t.Fatal(s.Err())
				}
				if got, want := s.Floats(out[0]), float32(2*i+1); !slices.Equal(got, []float32{want, want, want}) {
					t.Errorf("call %d: %v, want %g", i+1, got, want)
				}
			}
		}
		var notices []string
		for range 2 {
			run(NewGraph(device, func(line string) { notices = append(notices, line) }), true)
			run(NewGraph(device, func(line string) { t.Error(line) }), false)
		}
		if want := map[bool]int{true: 2}[device != CPU]; len(notices) != want {
			t.Errorf("notices %q, want %d", notices, want)
		}
		return s.Err()
	})
}
