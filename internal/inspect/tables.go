package inspect

import (
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v15/parquet/file"

	"fmsr.example/fmsr/internal/format/safetensors"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/infile"
)

// shownColumns bounds the columns and tensors that are listed.
const shownColumns = 40

// openParquet describes a table by its footer.
func openParquet(path string) (t *Thing, err error) {
	defer func() { // the reader panics on some damaged files
		if p := recover(); p != nil {
			t, err = nil, fmt.Errorf("%s: not a Parquet file, or a damaged one: %v", path, p)
		}
	}()
	in, err := infile.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	f, err := file.NewParquetReader(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t = &Thing{What: "a Parquet table"}
	t.fact("rows", "%d in %d groups, %s", f.NumRows(), f.NumRowGroups(), atomicfile.Size(in.Size))
	schema := f.MetaData().Schema
	for i := range min(schema.NumColumns(), shownColumns) {
		c := schema.Column(i)
		logical := ""
		if l := c.LogicalType(); l != nil && !l.IsNone() {
			logical = ", " + l.String()
		}
		t.fact("column", "%s: %s%s", c.Path(), c.PhysicalType(), logical)
	}
	for _, key := range f.MetaData().KeyValueMetadata().Keys() {
		if value := f.MetaData().KeyValueMetadata().FindValue(key); value != nil && key != "ARROW:schema" {
			t.fact(key, "%.200s", *value)
		}
	}
	return t, nil
}

// openSafetensors describes weights by the file's header.
func openSafetensors(path string) (*Thing, error) {
	h, err := safetensors.ReadHeader(path)
	if err != nil {
		return nil, err
	}
	t := &Thing{What: "weights, safetensors"}
	values := int64(0)
	for _, x := range h.Tensors {
		n := int64(1)
		for _, d := range x.Shape {
			n *= d
		}
		values += n
	}
	t.fact("tensors", "%d, of %d values", len(h.Tensors), values)
	for _, key := range slices.Sorted(maps.Keys(h.Metadata)) {
		t.fact(key, "%.200s", h.Metadata[key])
	}
	for _, x := range h.Tensors[:min(len(h.Tensors), shownColumns)] {
		t.fact("tensor", "%s %s %v", x.Name, x.DType, x.Shape)
	}
	return t, nil
}
