// Package tensorcolumn is frames as rows of Arrow tables, their values in
// columns of arrow.fixed_shape_tensor, without a copy either way:
//
//	seed int32 | frame int32 | split string | x_hi float32 (C,H,W) | x_lo float32 (C,H,W)
//	                                          Tensors around a buffer, Open maps a file
//
// pyarrow opens such columns as tensors; whoever does not know the extension
// sees lists of C*H*W numbers.
package tensorcolumn

import (
	"encoding/json"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/frames"
)

// The extension's place in a field's metadata, and its name.
const (
	extensionName     = "ARROW:extension:name"
	extensionMetadata = "ARROW:extension:metadata"
	extension         = "arrow.fixed_shape_tensor"
	channelNames      = "channel_names"
)

// Schema is of rows that are a frame each, with tensors of that shape in the
// columns named. They are nullable by type: a required fixed-size list comes out
// of Arrow v15's Parquet writer as nulls.
func Schema(channels []string, h, w int, columns ...string) *arrow.Schema {
	fields := []arrow.Field{
		{Name: "seed", Type: arrow.PrimitiveTypes.Int32},
		{Name: "frame", Type: arrow.PrimitiveTypes.Int32},
		{Name: "split", Type: arrow.BinaryTypes.String},
	}
	shape, _ := json.Marshal(tensorShape{Shape: []int{len(channels), h, w}, Names: []string{"C", "H", "W"}})
	names, _ := json.Marshal(channels) // slices of strings and ints always encode
	for _, name := range columns {
		fields = append(fields, arrow.Field{
			Name: name, Nullable: true, Type: arrow.FixedSizeListOf(int32(len(channels)*h*w), arrow.PrimitiveTypes.Float32),
			Metadata: arrow.NewMetadata([]string{extensionName, extensionMetadata}, []string{extension, string(shape)}),
		})
	}
	metadata := arrow.NewMetadata([]string{channelNames}, []string{string(names)})
	return arrow.NewSchema(fields, &metadata)
}

// tensorShape is the extension's metadata.
type tensorShape struct {
	Shape []int    `json:"shape"`
	Names []string `json:"dim_names"`
}

// Record is rows of a Schema around the memory of its tensor columns: one
// buffer (N,C,H,W) a column. Release it.
func Record(schema *arrow.Schema, origins []frames.Origin, tensors ...*memory.Buffer) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(schema.Fields()[:3], nil))
	defer b.Release()
	for _, o := range origins {
		b.Field(0).(*array.Int32Builder).Append(int32(o.Seed))
		b.Field(1).(*array.Int32Builder).Append(int32(o.Frame))
		b.Field(2).(*array.StringBuilder).Append(o.Split.String())
	}
	rows := b.NewRecord()
	defer rows.Release()
	columns := slices.Clone(rows.Columns())
	for i, values := range tensors {
		column := lists(schema.Field(3+i).Type, len(origins), values)
		defer column.Release()
		columns = append(columns, column)
	}
	return array.NewRecord(schema, columns, int64(len(origins)))
}

// lists is n lists that are the buffer.
func lists(list arrow.DataType, n int, values *memory.Buffer) arrow.Array {
	item := array.NewData(arrow.PrimitiveTypes.Float32, values.Len()/4, []*memory.Buffer{nil, values}, nil, 0, 0)
	defer item.Release()
	data := array.NewData(list, n, []*memory.Buffer{nil}, []arrow.ArrayData{item}, 0, 0)
	defer data.Release()
	return array.MakeFromData(data)
}
