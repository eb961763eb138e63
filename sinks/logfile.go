package sinks

import (
	"fmt"
	"io"
	"os"

	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/pipeline"
)

// openLog opens a log for appending. A new run empties it first. A resumed run cuts it
// to the length that keep returns, and so drops the records of steps that will be
// repeated, and a record at the end that a crash has cut. It leaves a log alone that is
// damaged before its end, for which keep returns an error, and the other names of the file:
// a copy of the run's folder by hard links keeps its log.
func openLog(path string, r pipeline.Resume, keep func(data []byte, step int) (int, error)) (_ *os.File, err error) {
	if err := atomicfile.Unshare(path); err != nil {
		return nil, err
	}
	f, err := infile.OpenFile(path, os.O_RDWR|os.O_CREATE)
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
		if length, err = keep(data, r.Steps); err != nil {
			return nil, &pipeline.InputError{Err: fmt.Errorf("%w: mend it or move the file away, or start over with --resume never, or in another folder by --out", err)}
		}
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
