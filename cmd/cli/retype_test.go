package cli

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/x448/float16"

	"fmsr.example/fmsr/internal/format/npy"
)

// retypeCommand writes an array with another dtype, as numpy would, to an npy file or
// under each NAME of an npz file: retype FROM TO.npy DTYPE, or
// retype FROM TO.npz DTYPE stored|deflated NAME...
func retypeCommand(ts *testscript.TestScript, _ bool, args []string) {
	shape, values, err := npy.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	array := encode(shape, values, args[2])
	to := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(to), 0o755))
	if strings.HasSuffix(to, ".npy") {
		ts.Check(os.WriteFile(to, array, 0o644))
		return
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range args[4:] {
		method := map[string]uint16{"stored": zip.Store, "deflated": zip.Deflate}[args[3]]
		w, err := z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: method})
		ts.Check(err)
		_, err = w.Write(array)
		ts.Check(err)
	}
	ts.Check(z.Close())
	ts.Check(os.WriteFile(to, b.Bytes(), 0o644))
}

func encode(shape []int, values []float32, dtype string) []byte {
	dims := strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", ", ")
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }\n", dtype, dims)
	out := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(text)))
	out = append(out, text...)
	var order binary.AppendByteOrder = binary.LittleEndian
	if dtype[0] == '>' {
		order = binary.BigEndian
	}
	for _, v := range values {
		switch dtype[1:] {
		case "f2":
			out = order.AppendUint16(out, float16.Fromfloat32(v).Bits())
		case "f4":
			out = order.AppendUint32(out, math.Float32bits(v))
		case "f8":
			out = order.AppendUint64(out, math.Float64bits(float64(v)))
		case "i4":
			out = order.AppendUint32(out, uint32(int32(v)))
		}
	}
	return out
}
