// Package arrowtensor writes and reads frames as rows of Arrow tables, without copying
// their values, which are in columns of arrow.fixed_shape_tensor:
//
//	seed int64 | frame int32 | split string | x_hi float32 (C,H,W) | x_lo float32 (C,H,W)
//	                                          Writer: around buffers; Open: reads a row
//
// pyarrow opens such columns as tensors. A reader that does not know the extension sees
// lists of C*H*W numbers. Writer also writes Parquet.
package arrowtensor

import (
	"encoding/json"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/frames"
)

// The extension's place in a field's metadata, and its name.
const (
	extensionName     = "ARROW:extension:name"
	extensionMetadata = "ARROW:extension:metadata"
	extension         = "arrow.fixed_shape_tensor"
	channelNames      = "channel_names"
)

// Schema returns the schema of rows that hold a frame each: seed, frame, split, and
// tensors (C,H,W) in the named columns.
func Schema(channels []string, h, w int, tensors ...string) *arrow.Schema {
	return SchemaOf([]string{"seed", "frame", "split"}, channels, h, w, tensors...)
}

// SchemaOf returns the schema of rows that start with the given columns of a frame's
// origin: seed, frame, sample, split or time. Tensors are nullable, because Arrow v15's
// Parquet writer makes nulls of a required fixed-size list.
func SchemaOf(origin, channels []string, h, w int, tensors ...string) *arrow.Schema {
	var fields []arrow.Field
	for _, name := range origin {
		types := map[string]arrow.DataType{"seed": arrow.PrimitiveTypes.Int64, "split": arrow.BinaryTypes.String, "time": arrow.PrimitiveTypes.Float64}
		if types[name] == nil {
			types[name] = arrow.PrimitiveTypes.Int32
		}
		fields = append(fields, arrow.Field{Name: name, Type: types[name]})
	}
	shape, _ := json.Marshal(tensorShape{Shape: []int{len(channels), h, w}, Names: []string{"C", "H", "W"}})
	names, _ := json.Marshal(channels) // slices of strings and ints always encode
	for _, name := range tensors {
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

// Record returns rows of a schema around the memory of their tensors, one buffer
// (N,C,H,W) a column. Release it.
func Record(schema *arrow.Schema, origins []frames.Origin, tensors ...*memory.Buffer) arrow.Record {
	fields := schema.Fields()
	short := fields[:len(fields)-len(tensors)]
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(short, nil))
	defer b.Release()
	for i, field := range short {
		for _, o := range origins {
			switch field.Name {
			case "seed":
				b.Field(i).(*array.Int64Builder).Append(int64(o.Seed))
			case "frame":
				b.Field(i).(*array.Int32Builder).Append(int32(o.Frame))
			case "sample":
				b.Field(i).(*array.Int32Builder).Append(int32(o.Sample))
			case "split":
				b.Field(i).(*array.StringBuilder).Append(o.Split.String())
			case "time":
				b.Field(i).(*array.Float64Builder).Append(o.Moment.Time)
			}
		}
	}
	rows := b.NewRecord()
	defer rows.Release()
	columns := slices.Clone(rows.Columns())
	for i, values := range tensors {
		column := lists(fields[len(short)+i].Type, len(origins), values)
		defer column.Release()
		columns = append(columns, column)
	}
	return array.NewRecord(schema, columns, int64(len(origins)))
}

// lists returns n lists that together are the buffer.
func lists(list arrow.DataType, n int, values *memory.Buffer) arrow.Array {
	item := array.NewData(arrow.PrimitiveTypes.Float32, values.Len()/4, []*memory.Buffer{nil, values}, nil, 0, 0)
	defer item.Release()
	data := array.NewData(list, n, []*memory.Buffer{nil}, []arrow.ArrayData{item}, 0, 0)
	defer data.Release()
	return array.MakeFromData(data)
}
