package npy

import (
	"encoding/binary"
	"math"
	"strings"
	"unsafe"

	"github.com/x448/float16"
)

// sizes are the types that can be read, with the bytes of one value.
var sizes = map[string]int{
	"<f2": 2, ">f2": 2, "<f4": 4, ">f4": 4, "<f8": 8, ">f8": 8,
	"<f2" + low: 2, ">f2" + low: 2, "<f4" + low: 4, ">f4" + low: 4, "<f8" + low: 8, ">f8" + low: 8,
}

// low, behind a type, stands for what float32 loses of the values: x - float32(x).
const low = " low"

// Double reports whether the values are float64.
func (f *File) Double() bool { return f.DType[1:] == "f8" }

// Low makes Read return what float32 loses of the values, x - float32(x), or the values
// again. What is lost but too small for a float32 is its least number.
func (f *File) Low(on bool) {
	f.DType = strings.TrimSuffix(f.DType, low)
	if on {
		f.DType += low
	}
}

// bytesOf views values as the bytes that hold them.
func bytesOf(values []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values))
}

// convert fills dst from src, the bytes of values of that type, with any alignment.
func convert(dst []float32, src []byte, dtype string) {
	if dtype == "<f4" {
		copy(bytesOf(dst), src)
		return
	}
	var order binary.ByteOrder = binary.LittleEndian
	if dtype[0] == '>' {
		order = binary.BigEndian
	}
	switch dtype[1:] {
	case "f2":
		for i := range dst {
			dst[i] = float16.Frombits(order.Uint16(src[2*i:])).Float32()
		}
	case "f4":
		for i := range dst {
			dst[i] = math.Float32frombits(order.Uint32(src[4*i:]))
		}
	case "f8":
		for i := range dst {
			dst[i] = float32(math.Float64frombits(order.Uint64(src[8*i:])))
		}
	case "f8" + low:
		for i := range dst {
			x := math.Float64frombits(order.Uint64(src[8*i:]))
			lost := x - float64(float32(x))
			if dst[i] = float32(lost); dst[i] == 0 && lost != 0 {
				dst[i] = math.SmallestNonzeroFloat32
			}
		}
	default: // low: nothing is lost
		clear(dst)
	}
}
