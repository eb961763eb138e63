package torchx

// #if !__has_include("zz_native.go")
// #error "libtorch is not set up: run make once"
// #endif
// #include "csrc/fx.h"
import "C"

import (
	"errors"
	"strings"
)

// check turns an error string of the C side into a Go error with the string's
// first line. The other lines are libtorch's stack and advice for Python.
func check(msg C.fx_error) error {
	if msg == nil {
		return nil
	}
	text := C.GoString(msg)
	C.fx_free_string(msg)
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return errors.New(line)
}
