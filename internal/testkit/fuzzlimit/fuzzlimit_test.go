package fuzzlimit

import "testing"

var sink []byte

// TestSpent checks that spent counts memory allocated, memory touched and time.
func TestSpent(t *testing.T) {
	before := spent()
	size := 3*memory + int(before.resident) // Linux gives a new process the peak size of the process that starts it
	sink = make([]byte, size)
	for i := 0; i < len(sink); i += 4096 { // every page
		sink[i] = 1
	}
	after := spent()
	if n := after.allocated - before.allocated; n < uint64(size) {
		t.Errorf("%d bytes allocated, want %d", n, size)
	}
	if n := after.resident - before.resident; n < memory {
		t.Errorf("grown by %d bytes, want %d", n, 3*memory)
	}
	if after.time <= before.time {
		t.Errorf("%v spent", after.time-before.time)
	}
	sink = nil
}

func TestLargeInputsAreSkipped(t *testing.T) {
	if !t.Run("large", func(t *testing.T) {
		Run(t, largest+1, func() { t.Error("f was called") })
	}) {
		t.Error("it was run")
	}
}
