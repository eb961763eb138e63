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
	"fmt"
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

// layout is what a file's schema says, if it is one that Schema makes.
func layout(schema *arrow.Schema) (l Layout, err error) {
	for i, want := range []arrow.Field{
		{Name: "seed", Type: arrow.PrimitiveTypes.Int32}, {Name: "frame", Type: arrow.PrimitiveTypes.Int32}, {Name: "split", Type: arrow.BinaryTypes.String},
	} {
		if i >= schema.NumFields() || schema.Field(i).Name != want.Name || !arrow.TypeEqual(schema.Field(i).Type, want.Type) {
			return l, fmt.Errorf("column %d is not %s %s", i, want.Name, want.Type)
		}
	}
	metadata := schema.Metadata()
	names, ok := metadata.GetValue(channelNames)
	if !ok || json.Unmarshal([]byte(names), &l.Channels) != nil || len(l.Channels) == 0 {
		return l, fmt.Errorf("its metadata has no %s", channelNames)
	}
	var shape []int
	for i, f := range schema.Fields()[3:] {
		text, _ := f.Metadata.GetValue(extensionMetadata)
		var t tensorShape
		if name, _ := f.Metadata.GetValue(extensionName); name != extension || json.Unmarshal([]byte(text), &t) != nil {
			return l, fmt.Errorf("column %s is not an %s", f.Name, extension)
		}
		switch {
		case len(t.Shape) != 3 || t.Shape[0] != len(l.Channels) || !sane(t.Shape):
			return l, fmt.Errorf("column %s: shape %v of %d channels", f.Name, t.Shape, len(l.Channels))
		case !arrow.TypeEqual(f.Type, arrow.FixedSizeListOf(int32(t.Shape[0]*t.Shape[1]*t.Shape[2]), arrow.PrimitiveTypes.Float32)):
			return l, fmt.Errorf("column %s: type %s for shape %v", f.Name, f.Type, t.Shape)
		case i > 0 && !slices.Equal(shape, t.Shape):
			return l, fmt.Errorf("column %s: shape %v beside %v", f.Name, t.Shape, shape)
		}
		shape = t.Shape
		l.Columns = append(l.Columns, f.Name)
	}
	if shape == nil {
		return l, fmt.Errorf("it has no tensor column")
	}
	l.H, l.W = shape[1], shape[2]
	return l, nil
}

// sane shapes have lists that Arrow can count.
func sane(shape []int) bool {
	total := 1
	for _, d := range shape {
		if d < 1 || d > 1<<31/total {
			return false
		}
		total *= d
	}
	return total < 1<<31
}
