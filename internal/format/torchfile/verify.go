package torchfile

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// CheckSums reads every record, one in memory at a time, and checks its CRC-32.
func (f *File) CheckSums(ctx context.Context) error {
	return f.each(ctx, func(string, []byte) error { return nil })
}

// Verify is CheckSums, and in a file that Write made checks every other byte too, headers
// and padding: the same records, written again, must give the same bytes. In a file that
// torch.save made, padding and times in headers may be anything.
func (f *File) Verify(ctx context.Context) error {
	check := func(string, []byte) error { return nil }
	end := func() error { return nil }
	if f.ours() {
		out := &counted{w: &same{bufio.NewReaderSize(io.NewSectionReader(f.file, 0, f.size), 1<<20)}}
		z := zip.NewWriter(out)
		check = func(name string, data []byte) error { return putAligned(z, out, name, data) }
		end = func() error {
			err := z.Close()
			if err == nil && out.n != f.size {
				err = errOther
			}
			if err != nil {
				return fmt.Errorf("the end of the file: %w", err)
			}
			return nil
		}
	}
	if err := f.each(ctx, check); err != nil {
		return err
	}
	return end()
}

// each reads every record and checks its CRC-32, and calls do.
func (f *File) each(ctx context.Context, do func(name string, data []byte) error) error {
	for _, r := range f.zip.File {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		data, err := read(r.Name, r, f.size)
		if err != nil {
			return err
		}
		if sum := crc32.ChecksumIEEE(data); sum != r.CRC32 { // a CRC of 0 is not checked in reading
			return fmt.Errorf("record %s: CRC-32 %08x, want %08x", r.Name, sum, r.CRC32)
		}
		if err := do(r.Name, data); err != nil {
			return fmt.Errorf("record %s: %w", r.Name, err)
		}
	}
	return nil
}

// ours reports whether Write made the file. fmsr gives a checkpoint a format; torch.save,
// which may have saved fmsr's checkpoint again, gives it a serialization_id.
func (f *File) ours() bool {
	_, torchs := f.records[".data/serialization_id"]
	return f.Root.Get("format") != nil && !torchs
}

var errOther = errors.New("its header or the padding around it is damaged")

// same is a writer that accepts only the bytes that the file has.
type same struct{ file io.Reader }

func (s *same) Write(p []byte) (int, error) {
	there := make([]byte, len(p))
	if _, err := io.ReadFull(s.file, there); err != nil || !bytes.Equal(there, p) {
		return 0, errOther
	}
	return len(p), nil
}
