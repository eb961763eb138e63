package plan

import (
	"context"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

// BenchmarkSpectraFrame is a frame of 8 fields 256 x 256, and of their averages
// on 128 x 128, on one core.
func BenchmarkSpectraFrame(b *testing.B) {
	f := frame(memory.DefaultAllocator, 256, 256, 8, func(y, x, c int) float64 { return golden.N(1, uint64((y*256+x)*8+c)) })
	defer f.Release()
	p, err := NewSpectra(f.Grid, 2)
	if err != nil {
		b.Fatal(err)
	}
	hi, lo := make([]float64, 8*p.Hi.Len()), make([]float64, 8*p.Lo.Len())
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Run(f, 0, &Plan{Stored: true}, hi, lo); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSpectraTorch is libtorch's transforms of as many planes, on one core.
func BenchmarkSpectraTorch(b *testing.B) {
	thread, err := torchx.StartThread(1)
	if err != nil {
		b.Fatal(err)
	}
	defer thread.Close()
	for b.Loop() {
		err := thread.Do(context.Background(), func(s *torchx.Scope) error {
			hi, lo := s.Full(1, torchx.Float32, torchx.CPU, 8, 256, 256), s.Full(1, torchx.Float32, torchx.CPU, 8, 128, 128)
			s.PowerSpectrum2d(hi)
			s.PowerSpectrum2d(lo)
			return s.Err()
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
