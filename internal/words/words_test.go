package words

import (
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		Count(1, "file"): "1 file", Count(0, "file"): "0 files", Count(2, "trajectory"): "2 trajectories", Count(2, "day"): "2 days",
		Rough(90 * time.Minute): "1.5 h", Rough(1500 * time.Millisecond): "1.5 s", Rough(36 * time.Hour): "1.5 d",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
