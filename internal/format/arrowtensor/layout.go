package arrowtensor

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	flatbuffers "github.com/google/flatbuffers/go"
)

// Layout is the columns of a file's tensors and their common shape.
type Layout struct {
	Channels []string
	H, W     int
	Columns  []string

	seedBytes int // of a value of the column seed
}

// FrameBytes is the size of one tensor.
func (l Layout) FrameBytes() int { return 4 * len(l.Channels) * l.H * l.W }

// The fields of Arrow's schema flatbuffers that are read here.
const (
	schemaEndianness, schemaFields, schemaMetadata = 0, 1, 2
	fieldName, fieldKind, fieldType                = 0, 2, 3
	fieldChildren, fieldMetadata                   = 5, 6
	kindInt, kindFloat, kindText, kindList         = 2, 3, 5, 16
)

// column is a field of a schema. Only what Schema makes is read, because Arrow's own
// reader allocates as much memory as the counts of a damaged file say.
type column struct {
	name     string
	kind     byte
	typ      *flatbuffers.Table
	children []*flatbuffers.Table
	metadata *flatbuffers.Table // the field that has it
}

func readColumn(t *flatbuffers.Table) column {
	c := column{name: text(t, fieldName), kind: t.GetByteSlot(slot(fieldKind), 0), typ: &flatbuffers.Table{}}
	if o := flatbuffers.UOffsetT(t.Offset(slot(fieldType))); o != 0 {
		t.Union(c.typ, o)
	}
	c.children, c.metadata = tables(t, fieldChildren), t
	return c
}

// intBytes returns the bytes of a value of a column of signed integers, or 0.
func (c column) intBytes() int {
	if c.kind != kindInt || !c.typ.GetBoolSlot(slot(1), false) {
		return 0
	}
	return int(c.typ.GetInt32Slot(slot(0), 0)) / 8
}

// isFloats reports whether the column has lists of n float32.
func (c column) isFloats(n int) bool {
	if c.kind != kindList || int(c.typ.GetInt32Slot(slot(0), 0)) != n || len(c.children) != 1 {
		return false
	}
	item := readColumn(c.children[0])
	return item.kind == kindFloat && item.typ.GetInt16Slot(slot(0), 0) == 1
}

// layout reads a file's schema. It returns an error unless Schema makes such a schema.
func layout(schema *flatbuffers.Table) (l Layout, err error) {
	if schema.GetInt16Slot(slot(schemaEndianness), 0) != 0 {
		return l, errors.New("its numbers are big-endian")
	}
	if _, n := vector(schema, schemaFields, 4); n > mostTables {
		return l, fmt.Errorf("it has %d columns", n)
	}
	var columns []column
	for _, t := range tables(schema, schemaFields) {
		columns = append(columns, readColumn(t))
	}
	if len(columns) < 4 || columns[0].name != "seed" || columns[1].name != "frame" || columns[2].name != "split" ||
		columns[0].intBytes() < 4 || columns[1].intBytes() != 4 || columns[2].kind != kindText {
		return l, errors.New("its columns are not seed int64, frame int32, split string and tensors")
	}
	l.seedBytes = columns[0].intBytes()
	if json.Unmarshal([]byte(lookup(schema, schemaMetadata, channelNames)), &l.Channels) != nil || len(l.Channels) == 0 {
		return l, fmt.Errorf("its metadata has no %s", channelNames)
	}
	var shape []int
	for i, c := range columns[3:] {
		var t tensorShape
		if lookup(c.metadata, fieldMetadata, extensionName) != extension || json.Unmarshal([]byte(lookup(c.metadata, fieldMetadata, extensionMetadata)), &t) != nil {
			return l, fmt.Errorf("column %s is not an %s", c.name, extension)
		}
		switch {
		case len(t.Shape) != 3 || t.Shape[0] != len(l.Channels) || !sane(t.Shape):
			return l, fmt.Errorf("column %s: shape %v of %d channels", c.name, t.Shape, len(l.Channels))
		case !c.isFloats(t.Shape[0] * t.Shape[1] * t.Shape[2]):
			return l, fmt.Errorf("column %s has no float32 of shape %v", c.name, t.Shape)
		case i > 0 && !slices.Equal(shape, t.Shape):
			return l, fmt.Errorf("column %s: shape %v beside %v", c.name, t.Shape, shape)
		}
		shape = t.Shape
		l.Columns = append(l.Columns, c.name)
	}
	l.H, l.W = shape[1], shape[2]
	return l, nil
}

// sane reports whether Arrow can count the values of a tensor of that shape.
func sane(shape []int) bool {
	total := 1
	for _, d := range shape {
		if d < 1 || d > (1<<31-1)/total {
			return false
		}
		total *= d
	}
	return true
}

func root(b []byte) *flatbuffers.Table {
	return &flatbuffers.Table{Bytes: b, Pos: flatbuffers.GetUOffsetT(b)}
}

// slot returns a field's place in a table's index.
func slot(field int) flatbuffers.VOffsetT { return flatbuffers.VOffsetT(4 + 2*field) }

// vector returns where a table's vector of items of that size starts, and its length.
// It panics if the vector is not within the buffer, as flatbuffers does.
func vector(t *flatbuffers.Table, field, size int) (at flatbuffers.UOffsetT, n int) {
	o := flatbuffers.UOffsetT(t.Offset(slot(field)))
	if o == 0 {
		return 0, 0
	}
	at, n = t.Vector(o), t.VectorLen(o)
	if n < 0 || n > (len(t.Bytes)-int(at))/size {
		panic("a vector beyond the end")
	}
	return at, n
}

// mostTables bounds the tables of a vector: a small file can list one table thousands of
// times, and in it another.
const mostTables = 16

// tables returns a table's vector of tables.
func tables(t *flatbuffers.Table, field int) []*flatbuffers.Table {
	at, n := vector(t, field, 4)
	if n > mostTables {
		panic("more tables than an export has")
	}
	list := make([]*flatbuffers.Table, n)
	for i := range list {
		list[i] = &flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(at + flatbuffers.UOffsetT(4*i))}
	}
	return list
}

// lookup returns the value under a key in a table's vector of keys and values.
func lookup(t *flatbuffers.Table, field int, key string) string {
	for _, pair := range tables(t, field) {
		if text(pair, 0) == key {
			return text(pair, 1)
		}
	}
	return ""
}

func text(t *flatbuffers.Table, field int) string {
	o := flatbuffers.UOffsetT(t.Offset(slot(field)))
	if o == 0 {
		return ""
	}
	return string(t.ByteVector(t.Pos + o))
}
