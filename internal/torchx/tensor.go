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

// Tensor is gotorch's type, so that gotorch's functions and ours take the same
// tensors. A Tensor made here has no finalizer: its Scope frees it, or Free does.
type Tensor = torch.Tensor

// DType is the number of a libtorch scalar type, as in gotorch.
type DType = int8

// The types that fmsr computes in.
const (
	Float32  DType = torch.Float
	Float64  DType = torch.Double
	BFloat16 DType = torch.BFloat16
)

// The types of what ranks tell one another.
const (
	Int64 DType = torch.Long
	Byte  DType = torch.Byte
)

// Format is the order in memory of the elements of a 4-d tensor.
type Format int

// NHWC is libtorch's channels_last, which the faster kernels need, ours included;
// NCHW is libtorch's default.
const (
	NHWC Format = iota
	NCHW
)

// Device is the device that holds a tensor; its zero value is the CPU.
type Device int

// CPU is the device that every machine has.
const CPU Device = 0

// CUDA is the CUDA device with that index.
func CUDA(index int) Device { return Device(index + 1) }

func (d Device) String() string {
	if d == CPU {
		return "cpu"
	}
	return fmt.Sprintf("cuda:%d", d.index())
}

// index returns the device's number in fx.h: -1 for the CPU, else a CUDA index.
func (d Device) index() C.int { return C.int(d) - 1 }

// Live returns the number of tensors made here and not yet freed, for leak tests.
func Live() int64 { return int64(C.fx_live_tensors()) }

// IsNil reports whether t is nil, which is what an op returns after an error.
func IsNil(t Tensor) bool { return t.T == nil || *t.T == nil }

// Free releases t now. Views of its memory stay valid: the last of them frees it.
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

// Scope owns tensors and remembers the first error. All ops are methods of a
// Scope. After an error they do nothing and return a nil Tensor, so that a forward
// pass reads like its formula and needs one check, of Err. A Scope belongs to one
// goroutine.
type Scope struct {
	owned []Tensor
	err   error

	ctx  context.Context // ends the work; may be nil
	stop *C.int          // not 0 once ctx has ended; nil if ctx never ends

	recording C.fx_recording // the thread's; nil if nothing is recorded
}

// NewScope returns an empty scope. The caller closes it.
func NewScope() *Scope { return &Scope{} }

// Err returns the first error of any op in the scope.
func (s *Scope) Err() error { return s.err }

// Fail makes err the scope's error, unless the scope has one already.
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

// Adopt makes the scope the owner of a tensor that gotorch made, and removes the
// tensor's finalizer.
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

// Keep takes t out of the scope that owns it. The caller then frees t.
func (s *Scope) Keep(t Tensor) Tensor {
	for i := len(s.owned) - 1; i >= 0; i-- {
		if s.owned[i].T == t.T {
			s.owned = append(s.owned[:i], s.owned[i+1:]...)
			break
		}
	}
	return t
}

// Within runs f in an inner scope and keeps only its result. All other tensors of
// f are freed at once unless autograd needs them, so that a deep network takes no
// more memory than its backward pass uses.
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

// over reports whether the scope has an error or its context has ended.
func (s *Scope) over() bool {
	if s.err == nil && s.ctx != nil && s.ctx.Err() != nil {
		s.err = context.Cause(s.ctx)
	}
	return s.err != nil
}

// Ended reports whether the scope's context has ended.
func (s *Scope) Ended() bool { return s.ctx != nil && s.ctx.Err() != nil }

// Regardless runs f even if the scope's context has ended, so that what an op has begun
// can be completed.
func (s *Scope) Regardless(f func()) {
	ctx := s.ctx
	s.ctx = nil
	defer func() { s.ctx = ctx }()
	f()
}

// one calls a C function that returns one tensor.
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

// do calls a C function that returns no tensor.
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

// FromBytes returns a tensor of that shape over memory that libtorch does not own,
// such as an Arrow buffer or a mapped file, without a copy. The memory must outlive
// the tensor and its views, and must be pinned if it is on Go's heap.
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

// FromFloats copies values, row-major, into a new float32 tensor of that shape on the CPU.
func (s *Scope) FromFloats(values []float32, shape ...int64) Tensor {
	t := s.Full(0, Float32, CPU, shape...)
	s.Write(t, values)
	return t
}

// Full returns a tensor of that shape with all elements equal to value.
func (s *Scope) Full(value float64, dtype DType, device Device, shape ...int64) Tensor {
	return s.one("full", func(out *C.fx_tensor) C.fx_error {
		p, n := dims(shape)
		return C.fx_full(p, n, C.double(value), C.int(dtype), device.index(), out)
	})
}

// Randn returns standard normal noise of that shape, float32 on the CPU. The
// numbers depend on seed alone.
func (s *Scope) Randn(seed uint64, shape ...int64) Tensor { return s.RandnOn(CPU, seed, shape...) }

// RandnOn returns standard normal noise of that shape, float32, drawn on the
// device. The numbers depend on seed and on the kind of device.
func (s *Scope) RandnOn(device Device, seed uint64, shape ...int64) Tensor {
	return s.one("randn", func(out *C.fx_tensor) C.fx_error {
		p, n := dims(shape)
		return C.fx_randn(p, n, C.uint64_t(seed), device.index(), out)
	})
}

// Alias returns another handle on t: the same memory and the same place in the
// autograd graph.
func (s *Scope) Alias(t Tensor) Tensor {
	return s.one("alias", func(out *C.fx_tensor) C.fx_error { return C.fx_alias(handle(t), out) })
}

// Clone returns a copy of t, of the same shape.
func (s *Scope) Clone(t Tensor) Tensor {
	return s.one("clone", func(out *C.fx_tensor) C.fx_error { return C.fx_clone(handle(t), out) })
}

// Detach returns a tensor that shares t's memory and is outside the autograd graph.
func (s *Scope) Detach(t Tensor) Tensor {
	return s.one("detach", func(out *C.fx_tensor) C.fx_error { return C.fx_detach(handle(t), out) })
}

// To returns t, of any shape, in that type, on that device and, if it is 4-d, in
// that memory format. The result shares t's memory if nothing changes.
func (s *Scope) To(t Tensor, dtype DType, device Device, format Format) Tensor {
	return s.one("to", func(out *C.fx_tensor) C.fx_error {
		return C.fx_to(handle(t), C.int(dtype), device.index(), C.int(format), out)
	})
}

// Copy writes src's values into dst, of the same shape.
func (s *Scope) Copy(dst, src Tensor) {
	s.do("copy_", func() C.fx_error { return C.fx_copy_(handle(dst), handle(src)) })
}

// Write copies values, row-major, into t of any shape. Element type and count must
// be equal.
func Write[T number](s *Scope, t Tensor, values []T) {
	s.do("write", func() C.fx_error {
		return C.fx_write(handle(t), unsafe.Pointer(unsafe.SliceData(values)), C.int64_t(len(values))*C.int64_t(unsafe.Sizeof(T(0))))
	})
}

// Read copies the values of t, of any shape, into values, row-major. Element type
// and count must be equal.
func Read[T number](s *Scope, t Tensor, values []T) {
	s.do("read", func() C.fx_error {
		return C.fx_read(handle(t), unsafe.Pointer(unsafe.SliceData(values)), C.int64_t(len(values))*C.int64_t(unsafe.Sizeof(T(0))))
	})
}

// Write copies float32 values, row-major, into t of any shape.
func (s *Scope) Write(t Tensor, values []float32) { Write(s, t, values) }

// Floats returns t's float32 values, row-major, in a new slice.
func (s *Scope) Floats(t Tensor) []float32 {
	if s.err != nil {
		return nil
	}
	values := make([]float32, Numel(t))
	Read(s, t, values)
	return values
}

// Item returns the value of a tensor of one element.
func (s *Scope) Item(t Tensor) float64 {
	var v C.double
	s.do("item", func() C.fx_error { return C.fx_item(handle(t), &v) })
	return float64(v)
}

// Numel returns the number of elements of t.
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
