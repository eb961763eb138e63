package torchx

// #include "csrc/fx.h"
import "C"

import (
	"context"
	"fmt"
	"runtime"
	"unsafe"

	torch "github.com/wangkuiyi/gotorch"
)

// Tensor is gotorch's, so that its functions take ours and ours take its. A
// Tensor made here has no finalizer: its Scope frees it, or Free does.
type Tensor = torch.Tensor

// DType is a libtorch scalar type, by gotorch's numbers.
type DType = int8

// The types that fmsr computes in.
const (
	Float32  DType = torch.Float
	Float64  DType = torch.Double
	BFloat16 DType = torch.BFloat16
)

// Format is the order of a 4-d tensor's elements in memory.
type Format int

// NHWC is libtorch's channels_last, for which there are faster kernels, ours among
// them; NCHW is its default.
const (
	NHWC Format = iota
	NCHW
)

// Device is where a tensor lives; its zero value is the CPU.
type Device int

// CPU is the device that is always there.
const CPU Device = 0

// CUDA is the CUDA device with that index.
func CUDA(index int) Device { return Device(index + 1) }

func (d Device) String() string {
	if d == CPU {
		return "cpu"
	}
	return fmt.Sprintf("cuda:%d", d.index())
}

// index is the device by fx.h's numbers: -1 for the CPU, else a CUDA index.
func (d Device) index() C.int { return C.int(d) - 1 }

// Live is the number of tensors made here and not yet freed, for leak tests.
func Live() int64 { return int64(C.fx_live_tensors()) }

// IsNil reports whether t is no tensor, as an op returns after an error.
func IsNil(t Tensor) bool { return t.T == nil || *t.T == nil }

// Free releases t now. Views of its memory stay valid, since they share it.
func Free(t Tensor) {
	if IsNil(t) {
		return
	}
	C.fx_free(handle(t))
	*t.T = nil
}

func handle(t Tensor) C.fx_tensor {
	if t.T == nil {
		return nil
	}
	return C.fx_tensor(*t.T)
}

func handles(ts []Tensor) (*C.fx_tensor, C.int) {
	if len(ts) == 0 {
		return nil, 0
	}
	hs := make([]C.fx_tensor, len(ts))
	for i, t := range ts {
		hs[i] = handle(t)
	}
	return &hs[0], C.int(len(hs))
}

func wrap(h C.fx_tensor) Tensor {
	p := new(unsafe.Pointer)
	*p = unsafe.Pointer(h)
	return Tensor{T: p}
}

func dims(shape []int64) (*C.int64_t, C.int) {
	if len(shape) == 0 {
		return nil, 0
	}
	return (*C.int64_t)(unsafe.Pointer(&shape[0])), C.int(len(shape))
}

// Scope owns tensors and remembers the first error. All ops are its methods:
// after an error they do nothing and return a nil Tensor, so that a forward
// pass reads as the formula does and is checked once, by Err. A Scope belongs
// to one goroutine.
type Scope struct {
	owned []Tensor
	err   error

	ctx  context.Context // ends the work; nil: nothing does
	stop *C.int          // not 0 once ctx has ended; nil where it never will

	recording C.fx_recording // of the thread; nil: nothing is recorded
}

// NewScope returns an empty scope; Close it.
func NewScope() *Scope { return &Scope{} }

// Err is the first error of any op in the scope.
func (s *Scope) Err() error { return s.err }

// Fail makes err the scope's error unless it has one.
func (s *Scope) Fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// Close frees every tensor that the scope still owns.
func (s *Scope) Close() {
	for i := len(s.owned) - 1; i >= 0; i-- {
		Free(s.owned[i])
	}
	s.owned = nil
}

// Adopt makes the scope the owner of a result of gotorch's, whose finalizer is
// taken off.
func (s *Scope) Adopt(t Tensor) Tensor {
	if IsNil(t) {
		return t
	}
	runtime.SetFinalizer(t.T, nil)
	C.fx_count_adopted()
	return s.own(t)
}

func (s *Scope) own(t Tensor) Tensor {
	if !IsNil(t) {
		s.owned = append(s.owned, t)
	}
	return t
}

// Keep takes t, one of the scope's, out of it: the caller frees it.
func (s *Scope) Keep(t Tensor) Tensor {
	for i := len(s.owned) - 1; i >= 0; i-- {
		if s.owned[i].T == t.T {
			s.owned = append(s.owned[:i], s.owned[i+1:]...)
			break
		}
	}
	return t
}

// Within runs f in an inner scope and keeps only its result. What f made and
// autograd does not need is freed on the way out, which bounds a deep network's
// memory to what the backward pass uses.
func (s *Scope) Within(f func(in *Scope) Tensor) Tensor {
	if s.err != nil {
		return Tensor{}
	}
	in := &Scope{ctx: s.ctx, stop: s.stop, recording: s.recording}
	defer in.Close()
	out := f(in)
	if in.err != nil {
		s.err = in.err
		return Tensor{}
	}
	return s.own(in.Keep(out))
}

// over reports whether no op may begin any more.
func (s *Scope) over() bool {
	if s.err == nil && s.ctx != nil && s.ctx.Err() != nil {
		s.err = context.Cause(s.ctx)
	}
	return s.err != nil
}

// one runs a C function that gives one tensor.
func (s *Scope) one(op string, call func(out *C.fx_tensor) C.fx_error) Tensor {
	if s.over() {
		return Tensor{}
	}
	var out C.fx_tensor
	s.enter(op)
	msg := call(&out)
	s.leave()
	if err := check(msg); err != nil {
		s.err = fmt.Errorf("%s: %w", op, err)
		return Tensor{}
	}
	return s.own(wrap(out))
}

// do runs a C function that gives none.
func (s *Scope) do(op string, call func() C.fx_error) {
	if s.over() {
		return
	}
	s.enter(op)
	msg := call()
	s.leave()
	if err := check(msg); err != nil {
		s.err = fmt.Errorf("%s: %w", op, err)
	}
}

// FromBytes wraps memory that is not libtorch's, without a copy: an Arrow
// buffer, a mapped file. The memory must not be Go's heap unless pinned, and
// must outlive the tensor and its views.
func (s *Scope) FromBytes(data []byte, dtype DType, shape ...int64) Tensor {
	want := int64(elementSize(dtype))
	for _, d := range shape {
		want *= d
	}
	if int64(len(data)) != want || want == 0 {
		s.Fail(fmt.Errorf("from_blob: %d bytes for shape %v, want %d", len(data), shape, want))
	}
	return s.one("from_blob", func(out *C.fx_tensor) C.fx_error {
		p, n := dims(shape)
		return C.fx_from_blob(unsafe.Pointer(&data[0]), p, n, C.int(dtype), out)
	})
}

// FromFloats copies values into a new float32 tensor on the CPU.
func (s *Scope) FromFloats(values []float32, shape ...int64) Tensor {
	t := s.Full(0, Float32, CPU, shape...)
	s.Write(t, values)
	return t
}

// Full is a tensor of one value.
func (s *Scope) Full(value float64, dtype DType, device Device, shape ...int64) Tensor {
	return s.one("full", func(out *C.fx_tensor) C.fx_error {
		p, n := dims(shape)
		return C.fx_full(p, n, C.double(value), C.int(dtype), device.index(), out)
	})
}

// Randn is standard normal noise, float32 on the CPU, a function of seed alone.
func (s *Scope) Randn(seed uint64, shape ...int64) Tensor { return s.RandnOn(CPU, seed, shape...) }

// RandnOn is standard normal noise, float32, a function of seed alone, drawn on
// the device: on CUDA the numbers are not the CPU's.
func (s *Scope) RandnOn(device Device, seed uint64, shape ...int64) Tensor {
	return s.one("randn", func(out *C.fx_tensor) C.fx_error {
		p, n := dims(shape)
		return C.fx_randn(p, n, C.uint64_t(seed), device.index(), out)
	})
}

// Alias is another handle on t's memory and its place in the graph.
func (s *Scope) Alias(t Tensor) Tensor {
	return s.one("alias", func(out *C.fx_tensor) C.fx_error { return C.fx_alias(handle(t), out) })
}

// Clone copies t.
func (s *Scope) Clone(t Tensor) Tensor {
	return s.one("clone", func(out *C.fx_tensor) C.fx_error { return C.fx_clone(handle(t), out) })
}

// Detach is t's memory outside the autograd graph.
func (s *Scope) Detach(t Tensor) Tensor {
	return s.one("detach", func(out *C.fx_tensor) C.fx_error { return C.fx_detach(handle(t), out) })
}

// To is t in that type, on that device and, when 4-d, in that memory format;
// it shares t's memory when nothing changes.
func (s *Scope) To(t Tensor, dtype DType, device Device, format Format) Tensor {
	return s.one("to", func(out *C.fx_tensor) C.fx_error {
		return C.fx_to(handle(t), C.int(dtype), device.index(), C.int(format), out)
	})
}

// Copy writes src's values into dst.
func (s *Scope) Copy(dst, src Tensor) {
	s.do("copy_", func() C.fx_error { return C.fx_copy_(handle(dst), handle(src)) })
}

// Write copies values into t, of the same element type and count.
func Write[T float32 | float64](s *Scope, t Tensor, values []T) {
	s.do("write", func() C.fx_error {
		return C.fx_write(handle(t), unsafe.Pointer(unsafe.SliceData(values)), C.int64_t(len(values))*C.int64_t(unsafe.Sizeof(T(0))))
	})
}

// Read copies t's values, row-major, into values, of the same type and count.
func Read[T float32 | float64](s *Scope, t Tensor, values []T) {
	s.do("read", func() C.fx_error {
		return C.fx_read(handle(t), unsafe.Pointer(unsafe.SliceData(values)), C.int64_t(len(values))*C.int64_t(unsafe.Sizeof(T(0))))
	})
}

// Write copies float32 values into t.
func (s *Scope) Write(t Tensor, values []float32) { Write(s, t, values) }

// Floats are t's float32 values, row-major, in a new slice.
func (s *Scope) Floats(t Tensor) []float32 {
	if s.err != nil {
		return nil
	}
	values := make([]float32, Numel(t))
	Read(s, t, values)
	return values
}

// Item is the value of a tensor of one element.
func (s *Scope) Item(t Tensor) float64 {
	var v C.double
	s.do("item", func() C.fx_error { return C.fx_item(handle(t), &v) })
	return float64(v)
}

// Numel is the number of elements.
func Numel(t Tensor) int {
	n := 1
	for _, d := range t.Shape() {
		n *= int(d)
	}
	return n
}

// SharesMemory reports whether a and b are views of the same storage.
func SharesMemory(a, b Tensor) bool {
	var same C.bool
	if check(C.fx_same_storage(handle(a), handle(b), &same)) != nil {
		return false
	}
	return bool(same)
}

func elementSize(dtype DType) int {
	switch dtype {
	case Float64:
		return 8
	case BFloat16:
		return 2
	default:
		return 4
	}
}
