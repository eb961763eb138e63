// Package cutlog tests that a log which was torn can be resumed.
package cutlog

import "testing"

// Test tears a log of six steps at many bytes. keep returns the length of the log to
// keep for steps up to the given one. It must keep the whole steps up to it and nothing
// else. write makes the log of some steps, the same bytes every time.
func Test(t *testing.T, write func(steps []int) []byte, keep func(data []byte, step int) (int, error)) {
	t.Helper()
	steps := []int{2, 4, 6, 8, 10, 12}
	whole := write(steps)
	ends := make([]int, len(steps)+1) // length of the log with the first n steps
	for n := range ends {
		ends[n] = len(write(steps[:n]))
	}
	for _, last := range []int{0, 1, 2, 5, 6, 11, 12, 100} {
		for cut := 0; cut <= len(whole); cut += 1 + len(whole)/3000 {
			want := 0 // nothing, not even a beginning
			for n, end := range ends {
				if end <= cut && (n == 0 || steps[n-1] <= last) {
					want = end
				}
			}
			if got, err := keep(whole[:cut], last); got != want || err != nil {
				t.Fatalf("torn at %d of %d, steps up to %d: %d bytes kept, %v, want %d", cut, len(whole), last, got, err, want)
			}
		}
	}
}
