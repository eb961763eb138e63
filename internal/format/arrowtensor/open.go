package arrowtensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow/memory"
	flatbuffers "github.com/google/flatbuffers/go"

	"fmsr/internal/frames"
)

// File is an Arrow IPC file of a Schema, mapped: Arrow's own reader copies every
// buffer twice. It must not be truncated by others while it is open.
type File struct {
	Layout
	Rows  []Row
	whole *memory.Buffer
}

// Row is a frame: its origin, and the positions of its tensors in the file.
type Row struct {
	frames.Origin
	at []int // of each column
}

// Open maps a file and checks its metadata against its bytes. Errors name the path and
// the problem. Release it; a buffer from Tensor keeps the map alive.
func Open(path string) (*File, error) {
	whole, err := frames.MapFile(path)
	if err != nil {
		return nil, err
	}
	f := &File{whole: whole}
	if err := f.parse(); err != nil {
		whole.Release()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Tensor returns the values (C,H,W) of a row in the i-th tensor column, a view of the file.
func (f *File) Tensor(row, i int) *memory.Buffer {
	return frames.Slice(f.whole, f.Rows[row].at[i], f.FrameBytes())
}

// Bytes returns the whole file.
func (f *File) Bytes() []byte { return f.whole.Bytes() }

// Release unmaps the file, once no tensor of it is left.
func (f *File) Release() { f.whole.Release() }

// parse reads footer, schema and the messages of the record batches. Flatbuffers panic
// on offsets outside the file.
func (f *File) parse() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("not an Arrow file, or a damaged one: its metadata points outside the file")
		}
	}()
	data := f.whole.Bytes()
	if err := checkEnds(data); err != nil {
		return err
	}
	footer := root(data[len(data)-len(magic)-4-footerSize(data) : len(data)-len(magic)-4])
	schema := &flatbuffers.Table{}
	footer.Union(schema, flatbuffers.UOffsetT(footer.Offset(slot(footerSchema))))
	if f.Layout, err = layout(schema); err != nil {
		return fmt.Errorf("not an export: %w", err)
	}
	end := 0
	for _, b := range blocks(footer) {
		if b.at < end { // a batch that is listed a thousand times has a thousand times its rows
			return fmt.Errorf("damaged: the record batch at byte %d begins within the one before it", b.at)
		}
		if err := f.batch(data, b); err != nil {
			return err
		}
		end = b.at + b.metadata + b.body
	}
	return nil
}

var magic = []byte("ARROW1")

// checkEnds returns an error for a file that is cut or of another format, before its
// contents are trusted.
func checkEnds(data []byte) error {
	switch {
	case !bytes.HasPrefix(data, magic):
		return fmt.Errorf("not an Arrow file: it starts with %q", data[:min(len(data), len(magic))])
	case len(data) < 2*len(magic)+12 || !bytes.HasSuffix(data, magic):
		return fmt.Errorf("truncated: an Arrow file ends with %q", magic)
	}
	size := footerSize(data)
	if size < 4 || size > len(data)-2*len(magic)-4 {
		return fmt.Errorf("damaged: a footer of %d bytes in a file of %d", size, len(data))
	}
	return nil
}

func footerSize(data []byte) int {
	return int(int32(binary.LittleEndian.Uint32(data[len(data)-len(magic)-4:])))
}

// block is the position of a record batch.
type block struct{ at, metadata, body int }

// blocks returns the footer's blocks, structs of int64, int32 and int64.
func blocks(footer *flatbuffers.Table) []block {
	at, n := vector(footer, footerBatches, 24)
	var list []block
	for i := range n {
		p := at + flatbuffers.UOffsetT(24*i)
		list = append(list, block{at: int(footer.GetInt64(p)), metadata: int(footer.GetInt32(p + 8)), body: int(footer.GetInt64(p + 16))})
	}
	return list
}

// The fields of Arrow's flatbuffers that are read here.
const (
	footerSchema, footerBatches      = 1, 3
	messageType, messageHeader       = 1, 2 // of Message
	batchLength, batchNodes          = 0, 1 // of RecordBatch
	batchBuffers, batchCompression   = 2, 3
	recordBatch                      = 3 // the type of a header
	buffersBeforeTensors             = 7 // of seed and frame two each, of split three
	buffersOfTensor, valuesOfTensor  = 3, 2
	nodesBeforeTensors, nodesOfLists = 3, 2
)

// batch adds the rows of a record batch.
func (f *File) batch(data []byte, b block) error {
	damaged := func(format string, args ...any) error {
		return fmt.Errorf("damaged: the record batch at byte %d: "+format, append([]any{b.at}, args...)...)
	}
	if b.at < 8 || b.metadata < 16 || b.body < 0 || b.at > len(data) || b.metadata > len(data)-b.at || b.body > len(data)-b.at-b.metadata {
		return damaged("%d and %d bytes are not within the file", b.metadata, b.body)
	}
	message := root(data[b.at+8 : b.at+b.metadata]) // after the continuation mark and the length
	if kind := message.Offset(slot(messageType)); kind == 0 || message.GetByte(message.Pos+flatbuffers.UOffsetT(kind)) != recordBatch {
		return damaged("is another kind of message")
	}
	batch := &flatbuffers.Table{}
	message.Union(batch, flatbuffers.UOffsetT(message.Offset(slot(messageHeader))))
	if batch.Offset(slot(batchCompression)) != 0 {
		return damaged("is compressed: want it as export writes it")
	}
	rows := int(batch.GetInt64Slot(slot(batchLength), 0))
	nodesAt, nodes := vector(batch, batchNodes, 16)
	buffersAt, buffers := vector(batch, batchBuffers, 16)
	if want := nodesBeforeTensors + nodesOfLists*len(f.Columns); nodes != want {
		return damaged("%d columns, want %d", nodes, want)
	}
	for i := range nodes {
		p := nodesAt + flatbuffers.UOffsetT(16*i)
		if batch.GetInt64(p+8) != 0 {
			return damaged("has nulls")
		}
	}
	if want := buffersBeforeTensors + buffersOfTensor*len(f.Columns); buffers != want {
		return damaged("%d buffers, want %d", buffers, want)
	}
	body := data[b.at+b.metadata:][:b.body]
	buffer := func(i, size int) (values []byte, at int, err error) {
		p := buffersAt + flatbuffers.UOffsetT(16*i)
		start, length := int(batch.GetInt64(p)), int(batch.GetInt64(p+8))
		if start < 0 || length < size || start > len(body) || length > len(body)-start {
			return nil, 0, damaged("buffer %d: bytes %d to %d of %d, want %d", i, start, start+length, len(body), size)
		}
		return body[start:][:size], b.at + b.metadata + start, nil
	}
	if rows < 1 || rows > len(body) {
		return damaged("%d rows", rows)
	}
	return f.rows(rows, buffer, damaged)
}

// rows reads the short columns and notes where the tensors are.
func (f *File) rows(n int, buffer func(i, size int) ([]byte, int, error), damaged func(string, ...any) error) error {
	seeds, _, err := buffer(1, 4*n)
	if err != nil {
		return err
	}
	numbers, _, err := buffer(3, 4*n)
	if err != nil {
		return err
	}
	ends, _, err := buffer(5, 4*n+4)
	if err != nil {
		return err
	}
	number := func(b []byte, i int) int { return int(int32(binary.LittleEndian.Uint32(b[4*i:]))) }
	texts, _, err := buffer(6, max(0, number(ends, n)))
	if err != nil {
		return err
	}
	var tensors []int
	for c := range f.Columns {
		_, at, err := buffer(buffersBeforeTensors+buffersOfTensor*c+valuesOfTensor, n*f.FrameBytes())
		if err != nil {
			return err
		}
		if at%4 != 0 {
			return damaged("column %s starts at byte %d: want a multiple of 4", f.Columns[c], at)
		}
		tensors = append(tensors, at)
	}
	for i := range n {
		from, to := number(ends, i), number(ends, i+1)
		if from < 0 || to < from || to > len(texts) {
			return damaged("split of row %d: letters %d to %d of %d", i, from, to, len(texts))
		}
		split, err := frames.ParseSplit(string(texts[from:to]))
		if err != nil {
			return damaged("row %d: %w", i, err)
		}
		row := Row{Origin: frames.Origin{Seed: number(seeds, i), Frame: number(numbers, i), Split: split}}
		if row.Seed < 0 || row.Frame < 0 {
			return damaged("row %d: seed %d, frame %d", i, row.Seed, row.Frame)
		}
		for _, at := range tensors {
			row.at = append(row.at, at+i*f.FrameBytes())
		}
		f.Rows = append(f.Rows, row)
	}
	return nil
}
