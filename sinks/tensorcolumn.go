package sinks

import (
	"encoding/json"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// tensorSchema is a table of a frame a row: int32 columns, and x, an
// arrow.fixed_shape_tensor (C,H,W), which pyarrow opens as a tensor. x is
// nullable since pqarrow writes nulls for a required fixed-size list.
func tensorSchema(integers, channels []string, h, w int) *arrow.Schema {
	shape, _ := json.Marshal(map[string]any{"shape": []int{len(channels), h, w}, "dim_names": []string{"C", "H", "W"}})
	names, _ := json.Marshal(channels) // slices of strings and ints always encode
	var fields []arrow.Field
	for _, name := range integers {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int32})
	}
	fields = append(fields, arrow.Field{
		Name: "x", Nullable: true, Type: arrow.FixedSizeListOf(int32(len(channels)*h*w), arrow.PrimitiveTypes.Float32),
		Metadata: arrow.NewMetadata(
			[]string{"ARROW:extension:name", "ARROW:extension:metadata"},
			[]string{"arrow.fixed_shape_tensor", string(shape)}),
	})
	metadata := arrow.NewMetadata([]string{"channel_names"}, []string{string(names)})
	return arrow.NewSchema(fields, &metadata)
}

// tensorRow is a row of such a table, around the values' own memory.
func tensorRow(schema *arrow.Schema, integers []int32, values []float32) arrow.Record {
	var columns []arrow.Array
	for _, v := range integers {
		b := array.NewInt32Builder(memory.DefaultAllocator)
		b.Append(v)
		columns = append(columns, b.NewArray())
		b.Release()
	}
	bytes := memory.NewBufferBytes(arrow.Float32Traits.CastToBytes(values))
	item := array.NewData(arrow.PrimitiveTypes.Float32, len(values), []*memory.Buffer{nil, bytes}, nil, 0, 0)
	x := array.NewData(schema.Field(len(integers)).Type, 1, []*memory.Buffer{nil}, []arrow.ArrayData{item}, 0, 0)
	columns = append(columns, array.MakeFromData(x))
	item.Release()
	x.Release()
	record := array.NewRecord(schema, columns, 1)
	for _, c := range columns {
		c.Release()
	}
	return record
}
