package model

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/torchx"
)

// benchSteps times the step that prepare makes for a network of 32 and of 128 channels in both precisions, at batch 4
// of one 64 x 64 field. Besides the mean it reports the median, which the machine's other work moves less, and the
// median of the processor time of all threads, which it moves least.
func benchSteps(b *testing.B, prepare func(b *testing.B, thread *torchx.Thread, c Config, bf16 bool) func(s *torchx.Scope, x torchx.Tensor) error) {
	for _, channels := range []int{32, 128} {
		for _, bf16 := range []bool{false, true} {
			b.Run(fmt.Sprintf("channels=%d/bf16=%v", channels, bf16), func(b *testing.B) {
				thread, err := torchx.StartThread(0)
				if err != nil {
					b.Fatal(err)
				}
				step := prepare(b, thread, Config{Fields: 1, Channels: channels}, bf16)
				var seconds, processor []float64
				run := func() {
					start, before := time.Now(), processorTime(b)
					err := thread.Do(context.Background(), func(s *torchx.Scope) error {
						return step(s, s.To(s.Randn(1, 4, 1, 64, 64), torchx.Float32, torchx.CPU, torchx.NHWC))
					})
					if err != nil {
						b.Fatal(err)
					}
					seconds = append(seconds, time.Since(start).Seconds())
					processor = append(processor, processorTime(b)-before)
				}
				run()
				run()
				seconds, processor = nil, nil
				for b.Loop() {
					run()
				}
				slices.Sort(seconds)
				slices.Sort(processor)
				b.ReportMetric(seconds[len(seconds)/2], "median-s")
				b.ReportMetric(processor[len(processor)/2], "processor-s")
			})
		}
	}
}

// BenchmarkTrainStep is a whole training step, with the average.
func BenchmarkTrainStep(b *testing.B) {
	benchSteps(b, func(b *testing.B, thread *torchx.Thread, c Config, bf16 bool) func(s *torchx.Scope, x torchx.Tensor) error {
		flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 100}
		tr, err := NewTrainer(context.Background(), thread, c,
			Hyper{Flow: flow, LR: 2e-4, GradClip: 1, TMin: 1e-4, TMax: 1 - 1e-4, BF16: bf16})
		if err == nil {
			err = tr.UpdateEMA(context.Background(), Averaging{Decay: 0.999})
		}
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(tr.Close)
		return func(s *torchx.Scope, x torchx.Tensor) error {
			_, err := tr.TrainStep(s, x, x)
			return err
		}
	})
}

// BenchmarkRanks is a training step of the demo's network, batch 4 of one 128 x 128 field:
// by two ranks of one core each, over the time of one rank of two cores, in alternating
// steps. least is the ratio of the shortest steps, median of the median ones, and cpu of the
// processor's time, which other processes change less.
func BenchmarkRanks(b *testing.B) {
	alone, end := rankBench(b, nil, 2)
	defer end()
	var steps [2]chan chan struct{} // each rank takes a step when it is sent a channel, and closes that
	var ready sync.WaitGroup
	ready.Add(2)
	over := make(chan struct{})
	defer func() { <-over }()
	go func() {
		defer close(over)
		for _, err := range onRanks(b, 2, torchx.CPU, func(g *torchx.Group) error {
			step, end := rankBench(b, g, 1)
			defer end()
			steps[g.Rank] = make(chan chan struct{})
			ready.Done()
			for done := range steps[g.Rank] {
				step()
				close(done)
			}
			return nil
		}) {
			if err != nil {
				b.Error(err)
			}
		}
	}()
	ready.Wait()
	together := func() {
		var done [2]chan struct{}
		for r := range steps {
			done[r] = make(chan struct{})
			steps[r] <- done[r]
		}
		<-done[0]
		<-done[1]
	}
	var seconds [2][]float64
	var cpu [2]float64
	for b.Loop() {
		for i, step := range []func(){alone, together} {
			began, used := time.Now(), processorTime(b)
			step()
			seconds[i] = append(seconds[i], time.Since(began).Seconds())
			cpu[i] += processorTime(b) - used
		}
	}
	for _, s := range steps {
		close(s)
	}
	for i := range seconds {
		slices.Sort(seconds[i])
	}
	b.ReportMetric(cpu[1]/cpu[0], "cpu")
	b.ReportMetric(seconds[1][0]/seconds[0][0], "least")
	b.ReportMetric(seconds[1][len(seconds[1])/2]/seconds[0][len(seconds[0])/2], "median")
}

// processorTime returns the seconds of processor time that this process has used.
func processorTime(b *testing.B) float64 {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return float64(use.Utime.Nano()+use.Stime.Nano()) / 1e9
}

// rankBench returns a training step of a rank, or of a trainer alone if g is nil, on that
// many cores, and what frees it.
func rankBench(b *testing.B, g *torchx.Group, threads int) (step, end func()) {
	ctx := context.Background()
	thread, err := torchx.StartThread(threads)
	if err != nil {
		b.Fatal(err)
	}
	flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.05, LossScale: 100}
	tr, err := NewTrainer(ctx, thread, Config{Fields: 1, Channels: 32, Periodic: true}, Hyper{Flow: flow, LR: 6e-4, GradClip: 1, TMax: 1})
	if err == nil {
		err = tr.UpdateEMA(ctx, Averaging{Decay: 0.98})
	}
	rows := int64(4)
	if err == nil && g != nil {
		rows /= int64(g.Size)
		err = tr.Join(ctx, g, false)
	}
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		err := tr.Do(ctx, func(s *torchx.Scope) error {
			x := s.To(s.Randn(1, rows, 1, 128, 128), torchx.Float32, torchx.CPU, torchx.NHWC)
			_, err := tr.TrainStep(s, x, x)
			return err
		})
		if err != nil {
			b.Error(err)
		}
	}, tr.Close
}

// BenchmarkSampleStep is an Euler step of the ODE, within a sampling.
func BenchmarkSampleStep(b *testing.B) {
	benchSteps(b, func(b *testing.B, thread *torchx.Thread, c Config, bf16 bool) func(s *torchx.Scope, x torchx.Tensor) error {
		var net Net
		do := func(f func(s *torchx.Scope) error) {
			if err := thread.Do(context.Background(), f); err != nil {
				b.Fatal(err)
			}
		}
		end := func() {}
		do(func(s *torchx.Scope) (err error) {
			net, err = NewNet(s, c, 1)
			end = torchx.KeepPacked()
			return err
		})
		b.Cleanup(func() {
			do(func(*torchx.Scope) error { end(); net.Free(); return nil })
			thread.Close()
		})
		return func(s *torchx.Scope, x torchx.Tensor) error {
			torchx.NoGrad(func() { s.AddInPlace(s.Clone(x), NewInference(net, bf16).Velocity(x)(s, x, 0.5), 0.01) })
			return s.Err()
		}
	})
}

// BenchmarkDraw is an evaluation of the network for each sample of a batch, by the
// number of samples in it: 32 channels, float32, a field of 64 x 64 coarse cells.
func BenchmarkDraw(b *testing.B) {
	for _, batch := range []int64{1, 2, 4, 8} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			thread, err := torchx.StartThread(0)
			if err != nil {
				b.Fatal(err)
			}
			defer thread.Close()
			err = thread.Do(context.Background(), func(s *torchx.Scope) error {
				net, err := NewNet(s, Config{Fields: 1, Channels: 32}, 1)
				if err != nil {
					return err
				}
				defer net.Free()
				g := Generator{Inference: NewInference(net, false), Sampler: Sampler{Steps: 1, TMin: 0, TMax: 1}}
				g.Streams = func(uint64) []uint64 { return []uint64{1} }
				xLo := s.To(s.Randn(1, batch, 1, 128, 128), torchx.Float32, torchx.CPU, torchx.NHWC)
				out := make([]float32, batch*128*128)
				for b.Loop() {
					s.Within(func(s *torchx.Scope) torchx.Tensor { g.Draw(context.Background(), s, xLo, out); return torchx.Tensor{} })
				}
				return s.Err()
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/float64(batch), "s/sample")
		})
	}
}
