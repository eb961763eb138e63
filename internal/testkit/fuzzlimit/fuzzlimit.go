// Package fuzzlimit holds the fuzz targets, which are the readers of bytes from
// outside, to what a small input may cost.
package fuzzlimit

import (
	"bytes"
	"runtime/metrics"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	largest = 64 << 10  // bytes of an input; longer ones are skipped
	memory  = 100 << 20 // bytes that one may allocate, those given back included
	seconds = 2 * time.Second
)

// Run calls f, which reads size bytes, and fails the test if Go allocates, or the
// process grows by, more than 100 MiB meanwhile, or if it takes two seconds of
// processor time: the clock also runs while a process is stopped. Where f does
// not come back within ten seconds, go test -fuzz itself ends it and keeps the input.
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

// UnsummedZip is a zip whose records have no CRC, which zero stands for: what a
// fuzzer changes in one is then read, and not refused for its sum.
func UnsummedZip(data []byte) []byte {
	for _, header := range []struct {
		magic string
		crc   int // where it is
	}{{"PK\x03\x04", 14}, {"PK\x01\x02", 16}} {
		pieces := bytes.SplitAfter(data, []byte(header.magic))
		for _, after := range pieces[1:] {
			copy(after[header.crc-len(header.magic):], []byte{0, 0, 0, 0})
		}
	}
	return data
}

// cost is what the process has used so far.
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
