package hdf5

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// call8 calls a function of integers and pointers, of which it may take fewer: a caller's
// surplus registers are ignored.
static int64_t call8(void *f, const int64_t *a) {
	return ((int64_t (*)(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t))f)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
}

// failure is libhdf5's H5E_error2_t.
struct failure {
	int64_t class, major, minor;
	unsigned line;
	const char *function, *file, *what;
};

enum { reason_size = 512 };

// note keeps the text of the innermost error: an H5E_walk2_t.
static int note(unsigned n, const struct failure *e, void *reason) {
	if (n == 0 && e->what) {
		strncpy(reason, e->what, reason_size - 1);
	}
	return 0;
}

static void *note_function(void) { return note; }
*/
import "C"

import (
	"errors"
	"reflect"
	"runtime"
	"unsafe"
)

// open loads a library from a path, or from where the system looks for its name.
func open(path string) (handle unsafe.Pointer, err error) {
	runtime.LockOSThread() // dlerror's text is the thread's own
	defer runtime.UnlockOSThread()
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	if handle = C.dlopen(name, C.RTLD_NOW|C.RTLD_LOCAL); handle == nil {
		return nil, errors.New(C.GoString(C.dlerror()))
	}
	return handle, nil
}

// symbol returns the address of a library's function or variable; nil: it has none.
func symbol(handle unsafe.Pointer, name string) unsafe.Pointer {
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	return C.dlsym(handle, text)
}

// bind sets a Go function, which function points to, to a C function. Its arguments are
// integers, strings and pointers, at most eight; its result is an integer.
func bind(function any, address unsafe.Pointer) {
	variable := reflect.ValueOf(function).Elem()
	variable.Set(reflect.MakeFunc(variable.Type(), func(arguments []reflect.Value) []reflect.Value {
		var (
			numbers [8]C.int64_t
			pins    runtime.Pinner
		)
		defer pins.Unpin()
		for i, v := range arguments {
			switch {
			case v.CanInt():
				numbers[i] = C.int64_t(v.Int())
			case v.CanUint():
				numbers[i] = C.int64_t(v.Uint())
			case v.Kind() == reflect.String:
				text := C.CString(v.String())
				defer C.free(unsafe.Pointer(text))
				numbers[i] = C.int64_t(uintptr(unsafe.Pointer(text)))
			default: // a pointer, or a panic of UnsafePointer
				if p := v.UnsafePointer(); p != nil {
					pins.Pin(p)
					numbers[i] = C.int64_t(uintptr(p))
				}
			}
		}
		result := reflect.New(variable.Type().Out(0)).Elem()
		switch got := C.call8(address, &numbers[0]); result.Kind() {
		case reflect.Int32:
			result.SetInt(int64(int32(got)))
		case reflect.Int64:
			result.SetInt(int64(got))
		default:
			result.SetUint(uint64(got))
		}
		return []reflect.Value{result}
	}))
}

// reason is a text in C's memory, which note sets.
type reason struct{ text unsafe.Pointer }

func newReason() reason { return reason{C.calloc(C.reason_size, 1)} }

func (r reason) clear() { C.memset(r.text, 0, C.reason_size) }

func (r reason) String() string { return C.GoString((*C.char)(r.text)) }

// textAt returns the C string at an address; nil: none.
func textAt(p *byte) string { return C.GoString((*C.char)(unsafe.Pointer(p))) }

// noteFunction is the function that sets a reason, for H5Ewalk2.
func noteFunction() unsafe.Pointer { return C.note_function() }
