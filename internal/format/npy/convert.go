package npy

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/x448/float16"
)

// sizes are the types that can be read, with the bytes of one value.
var sizes = map[string]int{"<f2": 2, ">f2": 2, "<f4": 4, ">f4": 4, "<f8": 8, ">f8": 8}

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
	}
}
