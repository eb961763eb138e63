// Package wandb writes the log of an offline run of Weights & Biases, and cuts one
// where a run resumes.
//
// A .wandb file is a LevelDB log of Record messages (wandb_internal.proto):
//
//	":W&B" | 0xBEE1 u16 | 0        the first 7 bytes of the first 32 KiB block
//	CRC-32 of type and payload u32 | length u16 | type | payload
//
// A record that does not fit into its block continues in the next: type 1 is a whole
// record, 2 a first part, 3 a middle part, 4 a last part.
package wandb

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image/png"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"fmsr.example/fmsr/internal/format/protofield"
)

const (
	blockSize  = 32 << 10
	headerSize = 7 // of a chunk, and of the file
	magic      = ":W&B\xe1\xbe\x00"
)

// Fields of Record.
const (
	recordNumber  protofield.Number = 1
	recordHistory protofield.Number = 2
	recordSummary protofield.Number = 3
	recordFiles   protofield.Number = 6
	recordRun     protofield.Number = 17
	recordExit    protofield.Number = 18
	recordVersion protofield.Number = 21
)

// Log writes records, numbered from 1.
type Log struct {
	w     io.Writer
	at    int // position in the block
	count int64
}

// Start begins a log: it writes the file's header and the version record.
func Start(w io.Writer) (*Log, error) {
	if _, err := w.Write([]byte(magic)); err != nil {
		return nil, err
	}
	l := &Log{w: w, at: headerSize}
	info := protofield.AppendBytes(nil, 1, []byte("0.31.0")) // producer
	info = protofield.AppendBytes(info, 2, []byte("0.40.0")) // min_consumer
	return l, l.record(recordVersion, protofield.AppendBytes(nil, 1, info))
}

// Resume continues a log. w appends to the part that UpTo kept.
func Resume(w io.Writer, k Kept) *Log {
	return &Log{w: w, at: k.Length % blockSize, count: k.records}
}

// Run describes a run.
type Run struct {
	ID, Project, Name string
	Config            map[string]any
	Started           time.Time
}

// Run writes a RunRecord: 1 run_id, 3 project, 4 config, 8 display_name, 17 start_time.
func (l *Log) Run(r Run) error {
	config, err := items(1, r.Config)
	if err != nil {
		return err
	}
	b := protofield.AppendBytes(nil, 1, []byte(r.ID))
	b = protofield.AppendBytes(b, 3, []byte(r.Project))
	b = protofield.AppendBytes(b, 4, config)
	b = protofield.AppendBytes(b, 8, []byte(r.Name))
	started := protofield.AppendInt(nil, 1, r.Started.Unix())
	started = protofield.AppendInt(started, 2, int64(r.Started.Nanosecond()))
	return l.record(recordRun, protofield.AppendBytes(b, 17, started))
}

// Files writes a FilesRecord: the paths, in the run's folder files, that are to be
// uploaded.
func (l *Log) Files(paths []string) error {
	var files []byte
	for _, path := range paths {
		files = protofield.AppendBytes(files, 1, protofield.AppendBytes(nil, 1, []byte(path)))
	}
	return l.record(recordFiles, files)
}

// History writes a step's figures as a SummaryRecord: 1 update, which W&B shows as the run's
// latest figures, and as a HistoryRecord: 1 item, 2 step. It adds the keys _step, _timestamp
// and _runtime, the seconds since the run started.
func (l *Log) History(step int, at, started time.Time, values map[string]any) error {
	all := map[string]any{"_step": step, "_timestamp": float64(at.UnixMicro()) / 1e6, "_runtime": at.Sub(started).Seconds()}
	maps.Copy(all, values)
	summary, err := items(1, all)
	if err != nil {
		return err
	}
	history, err := items(2, all)
	if err != nil {
		return err
	}
	if err := l.record(recordSummary, summary); err != nil {
		return err
	}
	return l.record(recordHistory, protofield.AppendBytes(history, 2, protofield.AppendInt(nil, 1, int64(step))))
}

// Exit marks the run as finished, with exit code 0.
func (l *Log) Exit() error { return l.record(recordExit, protofield.AppendInt(nil, 1, 0)) }

// Picture returns where a run's folder files keeps a picture, encoded as PNG, and the
// value that stands for it in the history.
func Picture(name string, step int, encoded []byte) (path string, value map[string]any, err error) {
	size, err := png.DecodeConfig(bytes.NewReader(encoded))
	if err != nil {
		return "", nil, fmt.Errorf("picture %s: %w", name, err)
	}
	sum := sha256.Sum256(encoded)
	digest := hex.EncodeToString(sum[:])
	path = fmt.Sprintf("media/images/%s_%d_%s.png", strings.TrimSuffix(name, "/"), step, digest[:20])
	return path, map[string]any{
		"_type": "image-file", "format": "png", "path": path, "sha256": digest, "size": len(encoded),
		"width": size.Width, "height": size.Height,
	}, nil
}

// items returns keys with their values as JSON, sorted by key: HistoryItems, with the
// key in field 2 (nested_key), or ConfigItems and SummaryItems, with the key in field 1.
func items(key protofield.Number, values map[string]any) ([]byte, error) {
	var list []byte
	for _, name := range slices.Sorted(maps.Keys(values)) {
		data, err := json.Marshal(values[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		item := protofield.AppendBytes(nil, key, []byte(name))
		list = protofield.AppendBytes(list, 1, protofield.AppendBytes(item, 16, data))
	}
	return list, nil
}

// record writes a Record with one field besides its number.
func (l *Log) record(field protofield.Number, message []byte) error {
	l.count++
	return l.write(protofield.AppendBytes(protofield.AppendInt(nil, recordNumber, l.count), field, message))
}

func (l *Log) write(data []byte) error {
	for first := true; first || len(data) > 0; first = false {
		room := blockSize - l.at
		if room < headerSize { // too short for a chunk: zeros to the end
			if _, err := l.w.Write(make([]byte, room)); err != nil {
				return err
			}
			l.at, room = 0, blockSize
		}
		part := data[:min(len(data), room-headerSize)]
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

func (l *Log) chunk(part []byte, kind byte) error {
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

// Kept is the part of a log that a resumed run keeps.
type Kept struct {
	Length  int // bytes; 0: the log holds no run
	Started time.Time
	records int64
}

// UpTo keeps the run's record and the history of the steps up to the given one, with
// the records that go with it. It keeps nothing if there is no whole record of a run. The
// last record may be cut or damaged. UpTo returns an error for a damaged record that another
// one follows.
func UpTo(data []byte, step int) (kept Kept, err error) {
	if len(data) < headerSize || string(data[:headerSize]) != magic {
		return kept, nil
	}
	at := headerSize
	for {
		record, next := recordAt(data, at)
		if record == nil {
			if follows(data, at) {
				return Kept{}, fmt.Errorf("the record at byte %d is damaged", at)
			}
			return kept, nil
		}
		at = next
		number := int64(protofield.Int(record, recordNumber))
		if run := protofield.Bytes(record, recordRun); run != nil {
			start := protofield.Bytes(run, 17)
			kept = Kept{at, time.Unix(int64(protofield.Int(start, 1)), int64(protofield.Int(start, 2))), number}
		}
		if history := protofield.Bytes(record, recordHistory); history != nil {
			if protofield.Int(protofield.Bytes(history, 2), 1) > uint64(step) {
				return kept, nil
			}
			kept.Length, kept.records = at, number
		}
	}
}

// follows reports whether a record begins within the block after a position, or at the
// beginning of a later block.
func follows(data []byte, at int) bool {
	block := (at/blockSize + 1) * blockSize
	for i := at + 1; i < len(data); i++ {
		if i > block {
			i = (i + blockSize - 1) / blockSize * blockSize
		}
		if record, _ := recordAt(data, i); record != nil {
			return true
		}
	}
	return false
}

// recordAt joins the chunks of the record that starts at a position, and returns it
// with the position of the next record. It returns nil if the record is cut or damaged.
func recordAt(data []byte, at int) (record []byte, next int) {
	for {
		if room := blockSize - at%blockSize; room < headerSize {
			at += room
		}
		if len(data)-at < headerSize {
			return nil, 0
		}
		length, kind := int(binary.LittleEndian.Uint16(data[at+4:])), data[at+6]
		end := at + headerSize + length
		if end > len(data) || crc32.ChecksumIEEE(data[at+6:end]) != binary.LittleEndian.Uint32(data[at:]) {
			return nil, 0
		}
		record = append(record, data[at+headerSize:end]...)
		at = end
		if kind == 1 || kind == 4 {
			return record, at
		}
	}
}
