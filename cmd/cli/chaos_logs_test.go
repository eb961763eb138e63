package cli

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// clocked is the name of the figure that depends on the clock.
var clocked = []byte("time/frames_per_s")

// tensorboardLog returns a run's events without the times at which they were written.
func tensorboardLog(t *testing.T, parts ...string) []byte {
	t.Helper()
	const wallTime = 1
	var log []byte
	for data := chaosRead(t, append(parts, "tb", "chaos", "events.out.tfevents.0.fmsr")...); len(data) > 0; {
		n := binary.LittleEndian.Uint64(data)
		event := data[12 : 12+n]
		data = data[n+16:]
		fields(t, event, func(number protowire.Number, whole, _ []byte) {
			if number != wallTime {
				log = append(log, whole...)
			}
		})
	}
	return log
}

// wandbLog returns a run's records without the run's name and without times.
func wandbLog(t *testing.T, parts ...string) []byte {
	t.Helper()
	const history, summary, run = 2, 3, 17
	files, err := filepath.Glob(filepath.Join(append(parts, "wandb", "offline-run-*", "run-*.wandb")...))
	if err != nil || len(files) != 1 {
		t.Fatalf("W&B's logs are %v, want one (%v)", files, err)
	}
	var log []byte
	for _, record := range wandbRecords(chaosRead(t, files[0])) {
		fields(t, record, func(number protowire.Number, whole, value []byte) {
			switch number {
			case run:
			case history, summary:
				fields(t, value, func(_ protowire.Number, whole, value []byte) {
					if !bytes.Contains(value, clocked) && !bytes.Contains(value, []byte("_timestamp")) && !bytes.Contains(value, []byte("_runtime")) {
						log = append(log, whole...)
					}
				})
			default:
				log = append(log, whole...)
			}
		})
	}
	return log
}

// wandbRecords returns the records of a LevelDB log of 32 KiB blocks, with their
// chunks joined.
func wandbRecords(data []byte) (records [][]byte) {
	const block, header = 32 << 10, 7
	var record []byte
	for at := header; at+header <= len(data); {
		if block-at%block < header {
			at += block - at%block
			continue
		}
		n, kind := int(binary.LittleEndian.Uint16(data[at+4:])), data[at+6]
		record = append(record, data[at+header:at+header+n]...)
		if at += header + n; kind == 1 || kind == 4 {
			records = append(records, slices.Clone(record))
			record = record[:0]
		}
	}
	return records
}

// fields calls do with each field of a protobuf message: the whole field, and its
// value if that is bytes.
func fields(t *testing.T, message []byte, do func(number protowire.Number, whole, value []byte)) {
	t.Helper()
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeField(message)
		if n < 0 {
			t.Fatalf("not a message: %v", protowire.ParseError(n))
		}
		var value []byte
		if kind == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(message)
			value, _ = protowire.ConsumeBytes(message[tag:])
		}
		do(number, message[:n], value)
		message = message[n:]
	}
}
