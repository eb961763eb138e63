package sinks

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// A .wandb file is a LevelDB log of Record messages (wandb_internal.proto):
//
//	":W&B" | 0xBEE1 u16 | 0        the first 7 bytes of the first 32 KiB block
//	CRC-32 of type and payload u32 | length u16 | type | payload
//
// A record that does not fit into its block goes on in the next: types 1 whole,
// 2 first, 3 middle, 4 last.
const (
	wandbBlock  = 32 << 10
	wandbHeader = 7 // of a chunk, and of the file
	wandbMagic  = ":W&B\xe1\xbe\x00"
)

// Fields of Record.
const (
	wandbHistory protowire.Number = 2
	wandbFiles   protowire.Number = 6
	wandbRun     protowire.Number = 17
	wandbExit    protowire.Number = 18
	wandbVersion protowire.Number = 21
)

// wandbLog writes records, numbered from 1.
type wandbLog struct {
	w     io.Writer
	at    int // in the block
	count int64
}

func newWandbLog(w io.Writer) (*wandbLog, error) {
	_, err := w.Write([]byte(wandbMagic))
	return &wandbLog{w: w, at: wandbHeader}, err
}

// record writes a Record with that one field set.
func (l *wandbLog) record(field protowire.Number, message []byte) error {
	l.count++
	return l.write(protoBytes(protoInt(nil, 1, l.count), field, message))
}

func (l *wandbLog) write(data []byte) error {
	for first := true; first || len(data) > 0; first = false {
		room := wandbBlock - l.at
		if room < wandbHeader { // too short for a chunk: zeros to the end
			if _, err := l.w.Write(make([]byte, room)); err != nil {
				return err
			}
			l.at, room = 0, wandbBlock
		}
		part := data[:min(len(data), room-wandbHeader)]
		data = data[len(part):]
		if err := l.chunk(part, chunkType(first, len(data) == 0)); err != nil {
			return err
		}
	}
	return nil
}

func chunkType(first, last bool) byte {
	switch {
	case first && last:
		return 1
	case first:
		return 2
	case last:
		return 4
	default:
		return 3
	}
}

func (l *wandbLog) chunk(part []byte, kind byte) error {
	sum := crc32.NewIEEE()
	sum.Write([]byte{kind})
	sum.Write(part)
	chunk := binary.LittleEndian.AppendUint32(nil, sum.Sum32())
	chunk = binary.LittleEndian.AppendUint16(chunk, uint16(len(part)))
	chunk = append(append(chunk, kind), part...)
	l.at += len(chunk)
	_, err := l.w.Write(chunk)
	return err
}

// wandbItem is a key with its value as JSON: a HistoryItem, by nested_key, or a
// ConfigItem, by key.
func wandbItem(key protowire.Number, name string, value any) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return protoBytes(protoBytes(nil, key, []byte(name)), 16, data), nil
}

// wandbRunRecord is a RunRecord: 1 run_id, 3 project, 4 config, 8 display_name, 17 start_time.
func wandbRunRecord(id, project, name string, config map[string]any, started time.Time) ([]byte, error) {
	var update []byte
	for _, key := range sortedNames(config) {
		item, err := wandbItem(1, key, config[key])
		if err != nil {
			return nil, err
		}
		update = protoBytes(update, 1, item)
	}
	b := protoBytes(nil, 1, []byte(id))
	b = protoBytes(b, 3, []byte(project))
	b = protoBytes(b, 4, update)
	b = protoBytes(b, 8, []byte(name))
	return protoBytes(b, 17, protoInt(protoInt(nil, 1, started.Unix()), 2, int64(started.Nanosecond()))), nil
}

// wandbKept is the part of a log that a run which goes on keeps.
type wandbKept struct {
	length  int // bytes
	records int64
	started time.Time
}

// wandbUpTo keeps the run's record and the history of steps up to that one, with
// what goes with it; nothing where there is no whole record of a run.
func wandbUpTo(data []byte, step int) (kept wandbKept) {
	if len(data) < wandbHeader || string(data[:wandbHeader]) != wandbMagic {
		return kept
	}
	at := wandbHeader
	for {
		record, next := wandbRecordAt(data, at)
		if record == nil {
			return kept
		}
		at = next
		number := int64(protoField(record, 1))
		if run := protoMessage(record, wandbRun); run != nil {
			start := protoMessage(run, 17)
			kept = wandbKept{at, number, time.Unix(int64(protoField(start, 1)), int64(protoField(start, 2)))}
		}
		if history := protoMessage(record, wandbHistory); history != nil {
			if protoField(protoMessage(history, 2), 1) > uint64(step) {
				return kept
			}
			kept.length, kept.records = at, number
		}
	}
}

// wandbRecordAt joins the chunks of the record that starts there, and says where
// the next one does; nil where there is no whole, undamaged one.
func wandbRecordAt(data []byte, at int) (record []byte, next int) {
	for {
		if room := wandbBlock - at%wandbBlock; room < wandbHeader {
			at += room
		}
		if len(data)-at < wandbHeader {
			return nil, 0
		}
		length, kind := int(binary.LittleEndian.Uint16(data[at+4:])), data[at+6]
		end := at + wandbHeader + length
		if end > len(data) || crc32.ChecksumIEEE(data[at+6:end]) != binary.LittleEndian.Uint32(data[at:]) {
			return nil, 0
		}
		record = append(record, data[at+wandbHeader:end]...)
		at = end
		if kind == 1 || kind == 4 {
			return record, at
		}
	}
}
