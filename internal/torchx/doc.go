// Package torchx gives Go what gotorch lacks, as cgo over the same libtorch:
// layers, autograd, AdamW, autocast, FFT, devices, threads, our own kernels, and
// memory that is freed when a scope closes instead of by the garbage collector.
//
//	         Thread            one OS thread with an OpenMP team of its own
//	           |  Do(func)
//	+----------v-----------+
//	| Scope                |   every op is a method of a scope, which owns its result;
//	|   h = s.Conv2d(x, w) |   the first error sticks, later ops do nothing, and
//	|   h = s.SiLU(h)      |   s.Err() returns it, as with a bufio.Writer
//	+----------|-----------+
//	           v
//	csrc/fx.h  C functions: arguments in, result by pointer, error string back
//	           |
//	           |   csrc/core        threads, autocast, memory, recording, loading CUDA
//	           |   csrc/ops         tensors, arithmetic, plain layers, gradients
//	           |   csrc/conv ...    a folder for each of our kernels: conv, attention, norm_silu,
//	           |                    linear, update, frames (preprocessing and power spectra)
//	           |   csrc/simd        vectors of AVX2 and AVX-512, and one source for several processors
//	           |   csrc/dist        the ranks of a run: store, collectives, averaged gradients, by torch's c10d
//	           |   csrc/cuda        the GPU's kernels, graphs and NCCL: libfmsr_cuda.so, loaded at run time
//	           v
//	libtorch   gotorch links against the same one; gotorch's Tensor is our tensor type
//
// # Threads
//
// libtorch keeps its grad mode, autocast state and thread count for each OS
// thread. Everything that touches a model therefore runs inside one Thread's Do.
// Prepare, Spectrum and Store work on plain memory and may be called from any goroutine.
//
// # The program starts twice
//
// A program that links torchx executes itself once more as it starts, before main
// and before any library is initialized, with GOMP_SPINCOUNT=1000 in its
// environment. The process ID, the arguments and the open files stay the same. The
// variable tells OpenMP's threads to spin briefly before they sleep; OpenMP reads it
// while it is loaded, when Go code can't have set it yet. Without it a step is up to ten times
// slower next to other busy processes. If GOMP_SPINCOUNT or OMP_WAIT_POLICY is set
// already, the program starts once and keeps that setting. On a single core it also sets
// OMP_NUM_THREADS=1, which gotorch cannot do without. See csrc/core/context.cc.
//
// # Linking
//
// A program that imports gotorch has to import this package too, because
// zz_native.go carries the linker flags. native.sh writes that file: run make once.
package torchx
