package torchx

// #include "csrc/fx.h"
import "C"

import "unsafe"

// number is a type of the elements of tensors.
type number interface {
	float32 | float64 | int64 | byte
}

// Upload returns a tensor of that shape, type and format on the device, with the values in row-major order.
// On CUDA it goes through pinned memory and by a stream of copies: nobody waits for the
// device, and the copy is made beside work that was queued before. The values may change
// once Upload returns.
func Upload[T number](s *Scope, values []T, dtype DType, device Device, format Format, shape ...int64) Tensor {
	return s.one("upload", func(out *C.fx_tensor) C.fx_error {
		p, n := dims(shape)
		return C.fx_upload(unsafe.Pointer(unsafe.SliceData(values)), p, n, C.int(dtype), device.index(), C.int(format), out)
	})
}

// Download is a copy of a tensor's values to the host, which nobody waits for until End. It
// belongs to no scope: the caller frees it.
type Download struct{ c C.fx_download }

// Download begins a copy of x, of any shape, as x is when the work that is queued now is done.
func (s *Scope) Download(x Tensor) *Download {
	d := &Download{}
	s.do("download", func() C.fx_error { return C.fx_download_begin(handle(x), &d.c) })
	return d
}

// End waits for the copy and writes its values, row-major. Element type and count must be
// those of the tensor. It ends with an error when the scope's context ends.
func End[T number](s *Scope, d *Download, values []T) {
	s.do("download", func() C.fx_error {
		stop := s.stop
		if s.ctx == nil { // Regardless
			stop = nil
		}
		return C.fx_download_end(d.c, stop, unsafe.Pointer(unsafe.SliceData(values)), C.int64_t(len(values))*C.int64_t(unsafe.Sizeof(T(0))))
	})
}

// Free frees the copy, if it has not been freed.
func (d *Download) Free() {
	C.fx_download_free(d.c)
	d.c = nil
}
