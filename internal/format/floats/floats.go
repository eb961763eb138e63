// Package floats converts the numbers of files to float32. A type has numpy's name:
// "<f4" is a little-endian float32, ">f8" a big-endian float64. float32, float64 and
// float16 are known. A float64 beyond float32's range becomes Inf.
package floats

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/x448/float16"

	"fmsr.example/fmsr/internal/frames"
)

// Sizes are the types that can be read, with the bytes of one value.
var Sizes = map[string]int{
	"<f2": 2, ">f2": 2, "<f4": 4, ">f4": 4, "<f8": 8, ">f8": 8,
	"<f2" + low: 2, ">f2" + low: 2, "<f4" + low: 4, ">f4" + low: 4, "<f8" + low: 8, ">f8" + low: 8,
}

// low, behind a type, stands for what float32 loses of the values, x - float32(x). What is
// lost but too small for a float32 is its least number.
const low = " low"

// Lost returns the type of what float32 loses of the values of a type, if on is set, and
// the type of the values otherwise.
func Lost(dtype string, on bool) string {
	dtype = strings.TrimSuffix(dtype, low)
	if on {
		dtype += low
	}
	return dtype
}

// Rest returns what float32 loses of x, x - float32(x): at least its least number if that is
// not zero.
func Rest(x float64) float32 {
	lost := x - float64(float32(x))
	if rest := float32(lost); rest != 0 || lost == 0 {
		return rest
	}
	return math.SmallestNonzeroFloat32
}

// Convert fills dst from src, the bytes of values of that type, with any alignment.
func Convert(dst []float32, src []byte, dtype string) {
	if dtype == "<f4" {
		copy(frames.Bytes(dst), src)
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
			dst[i] = Rest(math.Float64frombits(order.Uint64(src[8*i:])))
		}
	default: // low: nothing is lost
		clear(dst)
	}
}
