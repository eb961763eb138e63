// Package tfevents writes TensorBoard's event files, and cuts one where a run resumes.
//
// A file is a sequence of records, and each record is an Event message
// (tensorflow/core/util/event.proto):
//
//	length u64 | masked CRC-32C of length u32 | event | masked CRC-32C of event u32
//
//	Event   1 wall_time double, 2 step int64, 3 file_version string, 5 summary
//	Summary 1 value: 1 tag string, 2 simple_value float, 4 image
//	Image   1 height, 2 width, 3 colorspace, 4 encoded_image_string
package tfevents

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image/png"
	"io"
	"math"
	"time"

	"fmsr.example/fmsr/internal/format/protofield"
)

// Fields of Event.
const (
	eventWallTime, eventStep, eventVersion, eventSummary = 1, 2, 3, 5
)

// WriteVersion writes the event that every file starts with.
func WriteVersion(w io.Writer, at time.Time) error {
	return writeRecord(w, protofield.AppendBytes(event(at, 0), eventVersion, []byte("brain.Event:2")))
}

// Summary is the numbers and pictures of one step. Its zero value is empty.
type Summary struct{ message []byte }

// Scalar adds a number. Events hold float32: a number beyond it, such as the squared error
// of a field of 1e-24, is left out.
func (s *Summary) Scalar(tag string, value float64) {
	if !holds(value) {
		return
	}
	v := protofield.AppendBytes(nil, 1, []byte(tag))
	s.message = protofield.AppendBytes(s.message, 1, protofield.AppendFloat(v, 2, float32(value)))
}

// holds reports whether a float32 can be the value: it is zero, or neither too large nor
// too small.
func holds(value float64) bool {
	const least = 0x1p-126
	return value == 0 || math.Abs(value) >= least && math.Abs(value) <= math.MaxFloat32
}

// Image adds a picture, encoded as PNG.
func (s *Summary) Image(tag string, encoded []byte) error {
	size, err := png.DecodeConfig(bytes.NewReader(encoded))
	if err != nil {
		return fmt.Errorf("picture %s: %w", tag, err)
	}
	const rgba = 4
	img := protofield.AppendInt(nil, 1, int64(size.Height))
	img = protofield.AppendInt(img, 2, int64(size.Width))
	img = protofield.AppendInt(img, 3, rgba)
	img = protofield.AppendBytes(img, 4, encoded)
	v := protofield.AppendBytes(nil, 1, []byte(tag))
	s.message = protofield.AppendBytes(s.message, 1, protofield.AppendBytes(v, 4, img))
	return nil
}

// WriteSummary writes the event of one step.
func WriteSummary(w io.Writer, at time.Time, step int, s Summary) error {
	return writeRecord(w, protofield.AppendBytes(event(at, step), eventSummary, s.message))
}

func event(at time.Time, step int) []byte {
	b := protofield.AppendDouble(nil, eventWallTime, float64(at.UnixMicro())/1e6)
	return protofield.AppendInt(b, eventStep, int64(step))
}

// UpTo returns the length of the records at the start of a file, up to the first record of
// a step beyond the given one. The last record may be cut or damaged. It returns an error
// for a damaged record that another one follows.
func UpTo(data []byte, step int) (length int, err error) {
	for {
		event := recordAt(data[length:])
		if event == nil {
			for i := length + 1; i < len(data); i++ {
				if recordAt(data[i:]) != nil {
					return 0, fmt.Errorf("the record at byte %d is damaged", length)
				}
			}
			return length, nil
		}
		if protofield.Int(event, eventStep) > uint64(step) {
			return length, nil
		}
		length += len(event) + overhead
	}
}

// overhead is the size of a record without its event.
const overhead = 16

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC is the checksum as records hold it.
func maskedCRC(data []byte) uint32 {
	c := crc32.Checksum(data, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

func writeRecord(w io.Writer, event []byte) error {
	record := binary.LittleEndian.AppendUint64(nil, uint64(len(event)))
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(record))
	record = append(record, event...)
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(event))
	_, err := w.Write(record)
	return err
}

// recordAt returns the event of the record that data starts with, or nil if that
// record is cut or damaged.
func recordAt(data []byte) []byte {
	if len(data) < overhead || binary.LittleEndian.Uint32(data[8:]) != maskedCRC(data[:8]) {
		return nil
	}
	n := binary.LittleEndian.Uint64(data)
	if n > uint64(len(data)-overhead) || n == 0 {
		return nil
	}
	event := data[12 : 12+n]
	if binary.LittleEndian.Uint32(data[12+n:]) != maskedCRC(event) {
		return nil
	}
	return event
}
