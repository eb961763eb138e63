// Package protofield appends single fields to protobuf messages, and finds them,
// without generated code: the few messages that fmsr writes have a handful of fields.
package protofield

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Number is a field's number in its message.
type Number = protowire.Number

// AppendBytes appends a field that holds a string, bytes or a message.
func AppendBytes(message []byte, field Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(message, field, protowire.BytesType), v)
}

// AppendInt appends an integer field.
func AppendInt(message []byte, field Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(message, field, protowire.VarintType), uint64(v))
}

// AppendDouble appends a field of type double.
func AppendDouble(message []byte, field Number, v float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(message, field, protowire.Fixed64Type), math.Float64bits(v))
}

// AppendFloat appends a field of type float.
func AppendFloat(message []byte, field Number, v float32) []byte {
	return protowire.AppendFixed32(protowire.AppendTag(message, field, protowire.Fixed32Type), math.Float32bits(v))
}

// Int returns the last value of an integer field, or 0 if the message has none.
// A damaged message is read up to its damage.
func Int(message []byte, field Number) uint64 {
	found := uint64(0)
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return found
		}
		message = message[n:]
		if number == field && kind == protowire.VarintType {
			if found, n = protowire.ConsumeVarint(message); n < 0 {
				return 0
			}
		} else if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return found
		}
		message = message[n:]
	}
	return found
}

// Bytes returns the first value of a field that holds bytes or a message, or nil if
// the message has none.
func Bytes(message []byte, field Number) []byte {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil
		}
		message = message[n:]
		if number == field && kind == protowire.BytesType {
			value, n := protowire.ConsumeBytes(message)
			if n < 0 {
				return nil
			}
			return value
		}
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return nil
		}
		message = message[n:]
	}
	return nil
}
