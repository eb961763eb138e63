package sinks

import (
	"fmt"
	"io"
	"os"

	"fmsr/pipeline"
)

// openLog opens a log for appending. A new run empties it first. A resumed run cuts it
// to the length that keep returns, and so drops the records of steps that will be
// repeated, and a record that a crash has cut.
func openLog(path string, r pipeline.Resume, keep func(data []byte, step int) int) (_ *os.File, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	length := 0
	if r.Here() {
		data, err := io.ReadAll(f)
		if err != nil {
			return nil, err
		}
		length = keep(data, r.Steps)
	}
	if err := f.Truncate(int64(length)); err != nil {
		return nil, err
	}
	_, err = f.Seek(int64(length), io.SeekStart)
	return f, err
}

// closeLog closes a log that was opened.
func closeLog(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}
