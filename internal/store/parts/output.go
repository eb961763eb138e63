package parts

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/store/atomicfile"
)

// Output is a data file of a seed being written. It appears with Commit. Its SHA-256 is
// computed while it is written, since both take about as long.
type Output struct {
	*atomicfile.File
	name string
	hash hash.Hash
	size int64

	sending parallel.Background // written data on its way to the disk, so that the final sync has little to do
}

// large is the least number of bytes for which another goroutine pays.
const large = 1 << 18

// DataName returns a name for the data of the i-th item, beside its record.
func (s *Set) DataName(i int, extension string) string {
	return filepath.Join(s.Under(), strings.TrimSuffix(s.Work.record(s.Items[i]), ".json")+extension)
}

// Create starts the file of that name in the set's folder, and removes the leftovers of
// killed processes. Close it.
func (s *Set) Create(name string) (*Output, error) {
	path := filepath.Join(s.dir, name)
	if err := atomicfile.Sweep(path); err != nil {
		return nil, err
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	return &Output{File: f, name: name, hash: sha256.New()}, nil
}

// Write appends data.
func (o *Output) Write(data []byte) (int, error) {
	hashed := make(chan struct{})
	if len(data) < large {
		o.hash.Write(data)
		close(hashed)
	} else {
		go func() {
			o.hash.Write(data)
			close(hashed)
		}()
	}
	n, err := o.File.Write(data)
	<-hashed
	if err != nil {
		return n, err
	}
	if from := o.size; n >= large {
		_ = o.sending.Wait() // a hint, which may fail: Commit syncs
		_ = o.sending.Start(func() error {
			return unix.SyncFileRange(int(o.Fd()), from, int64(n), unix.SYNC_FILE_RANGE_WRITE)
		})
	}
	o.size += int64(n)
	return n, nil
}

// Commit makes the file durable and puts it in its place.
func (o *Output) Commit() error {
	_ = o.sending.Wait()
	return o.File.Commit()
}

// Close removes the file unless it was committed.
func (o *Output) Close() error {
	_ = o.sending.Wait()
	return o.File.Close()
}

// Entry describes the file for a Record, once it is whole.
func (o *Output) Entry(rows int) File {
	return File{Path: o.name, Rows: rows, Bytes: o.size, SHA256: hex.EncodeToString(o.hash.Sum(nil))}
}
