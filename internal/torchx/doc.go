// Package torchx is what gotorch lacks, as cgo over the same libtorch: layers,
// autograd, AdamW, autocast, FFT, devices, threads, and memory that is freed
// when a scope closes rather than when the garbage collector comes by.
//
//	         Thread            one OS thread, its own OpenMP team
//	           |  Do(func)
//	+----------v-----------+
//	| Scope                |   every op is a method of a scope, which owns its result;
//	|   h = s.Conv2d(x, w) |   the first error sticks, later ops do nothing, and
//	|   h = s.SiLU(h)      |   s.Err() tells it, as with a bufio.Writer
//	+----------|-----------+
//	           v
//	csrc/fx.h  C functions: arguments in, result by pointer, error string back
//	           v
//	libtorch   (gotorch links against the same one; its Tensor is our tensor type)
//
// libtorch keeps its grad mode, autocast state and thread count for each OS
// thread, so everything that touches a model runs inside one Thread's Do.
//
// Every program that imports gotorch has to import this package too: it carries
// the linker flags, in zz_native.go, which native.sh writes (run make once).
package torchx
