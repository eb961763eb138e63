package torchx

// #include <stdlib.h>
// #include "csrc/fx.h"
import "C"

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"unsafe"
)

// Libtorch is the version of libtorch that fmsr is built with.
const Libtorch = "2.11.0"

// NoGrad runs f without recording its ops for a backward pass.
func NoGrad(f func()) {
	was := C.fx_set_grad_mode(false)
	defer C.fx_set_grad_mode(was)
	f()
}

// MostPacked is the largest number of bytes that KeepPacked takes.
const MostPacked = 512 << 20

// KeepPacked lets convolutions of this thread, outside gradients, keep their weights in
// the order in which the kernels read them, up to MostPacked, until the caller calls end.
// The weights must not change before that. Within another KeepPacked it does nothing.
func KeepPacked() (end func()) {
	was := C.fx_keep_packed(MostPacked)
	return func() { C.fx_keep_packed(was) }
}

// Autocast runs f, with bf16 autocast on that device if on is true: convolutions
// and matrix products then run in bf16, and each weight is cast once.
func (s *Scope) Autocast(device Device, on bool, f func()) {
	s.do("autocast", func() C.fx_error { return C.fx_autocast_begin(device.index(), C.bool(on)) })
	defer func() { C.fx_autocast_end(device.index()) }()
	f()
}

// HasBF16 reports whether the device has instructions that make bf16 faster than float32: on the
// CPU if CPULevel is AVX512BF16 or AMX, and a GPU's since Ampere. Without them libtorch emulates
// bf16, several times slower than float32.
func (d Device) HasBF16() bool { return bool(C.fx_has_bf16(d.index())) }

// Synchronize waits until the device has finished all queued work.
func (s *Scope) Synchronize(device Device) {
	s.do("synchronize", func() C.fx_error { return C.fx_synchronize(device.index()) })
}

// loadCUDA registers libtorch's CUDA kernels, once. It must come before any
// question about CUDA, since libtorch keeps the first answer.
var loadCUDA = sync.OnceValue(func() error {
	name := C.CString("libtorch_cuda.so")
	defer C.free(unsafe.Pointer(name))
	return check(C.fx_load_cuda(name))
})

// cudaLibrary is the file with fmsr's own CUDA code, in the program's folder.
const cudaLibrary = "libfmsr_cuda.so"

// kernels are fmsr's own CUDA kernels, which useKernels loads.
var kernels struct {
	once sync.Once
	err  error
}

// useKernels registers fmsr's own CUDA kernels, once, after libtorch's, unless they fail on
// the device.
func useKernels(device Device) error {
	kernels.once.Do(func() { kernels.err = loadKernels(device) })
	return kernels.err
}

func loadKernels(device Device) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if err := loadKernelsFrom(filepath.Join(filepath.Dir(program), cudaLibrary)); err != nil {
		return fmt.Errorf("make cuda builds %s: %w", cudaLibrary, err)
	}
	if err := tryKernels(device); err != nil {
		C.fx_drop_cuda_kernels()
		return err
	}
	return nil
}

func loadKernelsFrom(library string) error {
	name := C.CString(library)
	defer C.free(unsafe.Pointer(name))
	return check(C.fx_load_cuda_kernels(name))
}

// Notice returns a line about the kernels that the device lacks, or an empty string.
func (d Device) Notice() string {
	if d == CPU {
		return ""
	}
	if err := useKernels(d); err != nil {
		return fmt.Sprintf("%s: fmsr's own CUDA kernels are not used, and libtorch's are slower: %v", d, err)
	}
	return ""
}

// OpenDevice returns the device of that name: "cpu", "cuda", "cuda:1", or "auto",
// which is the first CUDA device if there is one and the CPU otherwise. It returns
// an error if the machine has no such device. fmsr's own kernels are loaded too; if
// they are missing, libtorch's are used, and Notice says so.
func OpenDevice(name string) (Device, error) {
	kind, index, hasIndex := strings.Cut(name, ":")
	switch {
	case name == "cpu":
		return CPU, nil
	case name == "auto":
		if count, err := cudaDevices(); err != nil || count == 0 {
			return CPU, nil
		}
		return openCUDA(0), nil
	case kind != "cuda":
		return CPU, fmt.Errorf("device %q: want auto, cpu, cuda or cuda:INDEX", name)
	}
	i := 0
	if hasIndex {
		var err error
		if i, err = strconv.Atoi(index); err != nil || i < 0 {
			return CPU, fmt.Errorf("device %q: want cuda:INDEX", name)
		}
	}
	count, err := cudaDevices()
	if err != nil {
		return CPU, fmt.Errorf("device %s: %w", name, err)
	}
	if i >= count {
		return CPU, fmt.Errorf("device %s: %d CUDA devices here", name, count)
	}
	return openCUDA(i), nil
}

func openCUDA(index int) Device {
	device := CUDA(index)
	_ = useKernels(device) // Notice reports the error
	return device
}

// OpenLocalDevice is OpenDevice for one of several processes on this machine, each with a
// GPU of its own: without an index, it is the process's number, unless the launcher shows
// each process one GPU only.
func OpenLocalDevice(name string, local int) (Device, error) {
	if name != "auto" && name != "cuda" {
		return OpenDevice(name)
	}
	count, err := cudaDevices()
	switch {
	case err != nil || count == 0:
		return OpenDevice(name)
	case count == 1:
		local = 0
	}
	return OpenDevice("cuda:" + strconv.Itoa(local))
}

func cudaDevices() (int, error) {
	if err := loadCUDA(); err != nil {
		return 0, fmt.Errorf("this libtorch has no CUDA: %w", err)
	}
	var n C.int
	if err := check(C.fx_cuda_device_count(&n)); err != nil {
		return 0, fmt.Errorf("no GPU can be used: %w", err)
	}
	return int(n), nil
}
