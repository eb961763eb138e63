package arrowtensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	flatbuffers "github.com/google/flatbuffers/go"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/infile"
)

// File is an open Arrow IPC file of a Schema: Arrow's own reader copies every buffer
// twice.
type File struct {
	Layout
	Rows []Row
	file *infile.File
}

// Row is a frame: its origin, and the positions of its tensors in the file.
type Row struct {
	frames.Origin
	at []int // of each column
}

// Open opens a file and checks its metadata against its bytes. Errors name the path and
// the problem. Close it.
func Open(path string) (*File, error) {
	file, err := infile.Open(path)
	if err != nil {
		return nil, err
	}
	f := &File{file: file}
	if err := f.parse(); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Read fills dst with the values (C,H,W) of a row in the i-th tensor column. The error
// does not name the file. Several goroutines may call it at once.
func (f *File) Read(dst []byte, row, i int) error { return f.file.Fill(dst, int64(f.Rows[row].at[i])) }

// Whole returns a reader of all bytes of the file.
func (f *File) Whole() io.Reader { return io.NewSectionReader(f.file, 0, f.file.Size) }

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// size is the file's, as an index.
func (f *File) size() int { return int(f.file.Size) }

// bytes reads so many bytes, which are within the file.
func (f *File) bytes(at, n int) ([]byte, error) {
	b := make([]byte, n)
	return b, f.file.Fill(b, int64(at))
}

// parse reads footer, schema and the messages of the record batches. Flatbuffers panic
// on offsets outside the file.
func (f *File) parse() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("not an Arrow file, or a damaged one: its metadata points outside the file")
		}
	}()
	data, err := f.footer()
	if err != nil {
		return err
	}
	footer := root(data)
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
		if err := f.batch(b); err != nil {
			return err
		}
		end = b.at + b.metadata + b.body
	}
	return nil
}

var magic = []byte("ARROW1")

// Bounds of the metadata that is read of a file: a footer of a million record batches is
// smaller, and so is the message of a batch.
const (
	longestFooter  = 1 << 26
	longestMessage = 1 << 20
)

// footer returns the footer. It returns an error for a file that is cut or of another
// format, before its contents are trusted.
func (f *File) footer() ([]byte, error) {
	start, err := f.bytes(0, min(f.size(), len(magic)))
	switch {
	case err != nil:
		return nil, err
	case !bytes.Equal(start, magic):
		return nil, fmt.Errorf("not an Arrow file: it starts with %q", start)
	case f.size() < 2*len(magic)+12:
		return nil, fmt.Errorf("truncated: an Arrow file ends with %q", magic)
	}
	end := f.size() - len(magic) - 4
	tail, err := f.bytes(end, len(magic)+4)
	if err != nil {
		return nil, err
	}
	if !bytes.HasSuffix(tail, magic) {
		return nil, fmt.Errorf("truncated: an Arrow file ends with %q", magic)
	}
	size := int(int32(binary.LittleEndian.Uint32(tail)))
	if size < 4 || size > end-len(magic) || size > longestFooter {
		return nil, fmt.Errorf("damaged: a footer of %d bytes in a file of %d", size, f.size())
	}
	return f.bytes(end-size, size)
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
func (f *File) batch(b block) error {
	damaged := func(format string, args ...any) error {
		return fmt.Errorf("damaged: the record batch at byte %d: "+format, append([]any{b.at}, args...)...)
	}
	if b.at < 8 || b.metadata < 16 || b.body < 0 || b.at > f.size() || b.metadata > f.size()-b.at || b.body > f.size()-b.at-b.metadata || b.metadata > longestMessage {
		return damaged("%d and %d bytes are not within the file", b.metadata, b.body)
	}
	metadata, err := f.bytes(b.at+8, b.metadata-8) // after the continuation mark and the length
	if err != nil {
		return err
	}
	message := root(metadata)
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
	buffer := func(i, size int) (at int, err error) {
		p := buffersAt + flatbuffers.UOffsetT(16*i)
		start, length := int(batch.GetInt64(p)), int(batch.GetInt64(p+8))
		if start < 0 || length < size || start > b.body || length > b.body-start {
			return 0, damaged("buffer %d: bytes %d to %d of %d, want %d", i, start, start+length, b.body, size)
		}
		return b.at + b.metadata + start, nil
	}
	if rows < 1 || rows > b.body/f.FrameBytes() {
		return damaged("%d rows", rows)
	}
	return f.rows(rows, buffer, damaged)
}

// rows reads the short columns and notes where the tensors are.
func (f *File) rows(n int, buffer func(i, size int) (at int, err error), damaged func(string, ...any) error) error {
	var tensors []int
	for c := range f.Columns {
		at, err := buffer(buffersBeforeTensors+buffersOfTensor*c+valuesOfTensor, n*f.FrameBytes())
		if err != nil {
			return err
		}
		if at%4 != 0 {
			return damaged("column %s starts at byte %d: want a multiple of 4", f.Columns[c], at)
		}
		tensors = append(tensors, at)
	}
	column := func(i, size int) ([]byte, error) {
		at, err := buffer(i, size)
		if err != nil {
			return nil, err
		}
		return f.bytes(at, size)
	}
	seeds, err := column(1, f.seedBytes*n)
	if err != nil {
		return err
	}
	numbers, err := column(3, 4*n)
	if err != nil {
		return err
	}
	ends, err := column(5, 4*n+4)
	if err != nil {
		return err
	}
	number := func(b []byte, i int) int { return int(int32(binary.LittleEndian.Uint32(b[4*i:]))) }
	if last := number(ends, n); last < 0 || last > longestSplit*n {
		return damaged("splits of %d letters in %d rows", last, n)
	}
	texts, err := column(6, number(ends, n))
	if err != nil {
		return err
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
		row := Row{Origin: frames.Origin{Seed: f.seed(seeds, i), Frame: number(numbers, i), Split: split}}
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

// longestSplit is the number of letters of the longest name of a split.
const longestSplit = len("train")

// seed returns the seed of a row: int64, or int32 in older files.
func (f *File) seed(column []byte, row int) int {
	if f.seedBytes == 4 {
		return int(int32(binary.LittleEndian.Uint32(column[4*row:])))
	}
	return int(int64(binary.LittleEndian.Uint64(column[8*row:])))
}
