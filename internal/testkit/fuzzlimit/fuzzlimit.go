// Package fuzzlimit limits the memory and time that a fuzz target may spend on a
// small input. All fuzz targets are readers of bytes from outside.
package fuzzlimit

import (
	"bytes"
	"runtime/metrics"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	largest = 64 << 10  // bytes of an input; longer inputs are skipped
	memory  = 100 << 20 // bytes that an input may allocate, freed ones included
	seconds = 2 * time.Second
)

// Run calls f, which reads size bytes. The test fails if Go allocates more than
// 100 MiB during the call, if the process grows by more than that, or if the call
// takes two seconds of processor time. (Wall time would also pass while the process
// is stopped.) If f does not return within ten seconds, go test -fuzz ends it and
// keeps the input.
func Run(t *testing.T, size int, f func()) {
	t.Helper()
	if size > largest {
		t.Skip("a large input")
	}
	before := spent()
	f()
	after := spent()
	if n := after.allocated - before.allocated; n > memory {
		t.Errorf("%d bytes were allocated for %d: want at most %d", n, size, memory)
	}
	if n := after.resident - before.resident; n > memory {
		t.Errorf("the process grew by %d bytes for %d: want at most %d", n, size, memory)
	}
	if d := after.time - before.time; d > seconds {
		t.Errorf("%v for %d bytes: want at most %v", d, size, seconds)
	}
}

// UnsummedZip sets the CRCs of all records of a zip to zero, in place, which means
// that there is none. A reader then reads what a fuzzer has changed instead of
// refusing it for a wrong CRC.
func UnsummedZip(data []byte) []byte {
	for _, header := range []struct {
		magic string
		crc   int // its offset in the header
	}{{"PK\x03\x04", 14}, {"PK\x01\x02", 16}} {
		pieces := bytes.SplitAfter(data, []byte(header.magic))
		for _, after := range pieces[1:] {
			copy(after[header.crc-len(header.magic):], []byte{0, 0, 0, 0})
		}
	}
	return data
}

// cost is the memory and time that the process has used so far.
type cost struct {
	allocated uint64 // by Go
	resident  int64  // at its peak, libtorch's memory included
	time      time.Duration
}

func spent() cost {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return cost{sample[0].Value.Uint64(), u.Maxrss << 10, time.Duration(u.Utime.Nano() + u.Stime.Nano())}
}
