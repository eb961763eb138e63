package sinks

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image/png"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"fmsr/internal/evaluate"
)

// TensorBoard's files are records of Event messages (tensorflow/core/util/event.proto):
//
//	length u64 | masked CRC-32C of it u32 | event | masked CRC-32C of it u32
//
//	Event   1 wall_time double, 2 step int64, 3 file_version string, 5 summary
//	Summary 1 value: 1 tag string, 2 simple_value float, 4 image
//	Image   1 height, 2 width, 3 colorspace, 4 encoded_image_string

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC is the checksum as TFRecords hold it.
func maskedCRC(data []byte) uint32 {
	c := crc32.Checksum(data, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

func writeTFRecord(w io.Writer, data []byte) error {
	record := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(record))
	record = append(record, data...)
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(data))
	_, err := w.Write(record)
	return err
}

// tfEventsUpTo is the length of the whole, undamaged records of steps up to that one.
func tfEventsUpTo(data []byte, step int) int {
	length := 0
	for {
		event := tfRecord(data[length:])
		if event == nil || protoField(event, 2) > uint64(step) {
			return length
		}
		length += len(event) + tfOverhead
	}
}

// tfOverhead is what a record has besides its event.
const tfOverhead = 16

// tfRecord is the event of the record that data starts with; nil where there is
// no whole one.
func tfRecord(data []byte) []byte {
	if len(data) < tfOverhead || binary.LittleEndian.Uint32(data[8:]) != maskedCRC(data[:8]) {
		return nil
	}
	n := binary.LittleEndian.Uint64(data)
	if n > uint64(len(data)-tfOverhead) || n == 0 {
		return nil
	}
	event := data[12 : 12+n]
	if binary.LittleEndian.Uint32(data[12+n:]) != maskedCRC(event) {
		return nil
	}
	return event
}

// tfVersion is the event that every file starts with.
func tfVersion(wall float64) []byte {
	return protoBytes(tfEvent(wall, 0), 3, []byte("brain.Event:2"))
}

func tfEvent(wall float64, step int) []byte {
	b := protowire.AppendTag(nil, 1, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(wall))
	return protoInt(b, 2, int64(step))
}

// tfSummary is an evaluation's figures and pictures as one event.
func tfSummary(wall float64, step int, e *evaluate.Evaluation) ([]byte, error) {
	var summary []byte
	for _, s := range e.Scalars {
		value := protoBytes(nil, 1, []byte(s.Name))
		value = protowire.AppendTag(value, 2, protowire.Fixed32Type)
		value = protowire.AppendFixed32(value, math.Float32bits(float32(s.Value)))
		summary = protoBytes(summary, 1, value)
	}
	for _, p := range e.Pictures {
		size, err := png.DecodeConfig(bytes.NewReader(p.PNG))
		if err != nil {
			return nil, fmt.Errorf("picture %s: %w", p.Name, err)
		}
		const rgba = 4
		img := protoInt(nil, 1, int64(size.Height))
		img = protoInt(img, 2, int64(size.Width))
		img = protoInt(img, 3, rgba)
		img = protoBytes(img, 4, p.PNG)
		summary = protoBytes(summary, 1, protoBytes(protoBytes(nil, 1, []byte(p.Name)), 4, img))
	}
	return protoBytes(tfEvent(wall, step), 5, summary), nil
}

// protoBytes appends a string, bytes or message field.
func protoBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// protoInt appends an integer field.
func protoInt(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

// protoField is the last value of an integer field of a message, 0 where it has none.
func protoField(message []byte, field protowire.Number) uint64 {
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

// protoMessage is a field of a message that is bytes or a message; nil where it has none.
func protoMessage(message []byte, field protowire.Number) []byte {
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
