package pipeline

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"fmsr.example/fmsr/internal/hostmem"
	"fmsr.example/fmsr/internal/store/atomicfile"
)

// Forecaster is a stage that knows what a run of it will need and take. Forecast is called
// once every stage is open, from the source down, in a dry run alone.
type Forecaster interface {
	Stage
	Forecast(f *Forecast)
}

// Forecast is what a run would do, need and take. The stages add to it.
type Forecast struct {
	Facts []Fact
	// Frame is the time that the stages take for a frame of a flow that does not train; 0: it
	// was not measured.
	Frame time.Duration
	// Work is the time of one evaluation of the network in training, forward alone, for a
	// sample; 0: it was not measured. The trainer sets it for the stages below.
	Work time.Duration
	Most int // evaluations that a sample takes, whatever the sampler's keys say; 0: as they say
	// Steps are the steps that the run has yet to take, From+1 to To. The trainer sets them.
	From, To int
	// Key is that of the stage's cache, if it is a Store.
	Key string

	memory, time []amount
	disk         []amount // in a folder
}

// amount is a part of a sum.
type amount struct {
	what, dir string
	of        float64
}

// Say adds a fact.
func (f *Forecast) Say(name, format string, args ...any) {
	f.Facts = append(f.Facts, Fact{name, fmt.Sprintf(format, args...)})
}

// Memory adds bytes of this machine's memory.
func (f *Forecast) Memory(bytes float64, what string) {
	f.memory = append(f.memory, amount{what: what, of: bytes})
}

// Disk adds bytes of files in a folder.
func (f *Forecast) Disk(dir string, bytes float64, what string) {
	f.disk = append(f.disk, amount{what, dir, bytes})
}

// Time adds a part of the time of the run.
func (f *Forecast) Time(d time.Duration, format string, args ...any) {
	f.time = append(f.time, amount{what: fmt.Sprintf(format, args...), of: d.Seconds()})
}

// sum says what the amounts add up to, beside what there is.
func (f *Forecast) sum(now time.Time) {
	if total, parts := sumOf(f.memory, bytesText); total > 0 {
		f.Say("memory", "%s of the %s that are left: %s", bytesText(total), bytesText(float64(hostmem.Left())), parts)
	}
	if total, parts := sumOf(f.time, secondsText); total > 0 {
		f.Say("time", "about %s, until %s: %s", secondsText(total), now.Add(time.Duration(total*1e9)).Format("Mon 2 Jan 15:04"), parts)
	}
	for len(f.disk) > 0 {
		dir := f.disk[0].dir
		same := func(a amount) bool { return a.dir == dir }
		here := slices.Collect(func(yield func(amount) bool) {
			for _, a := range f.disk {
				if same(a) && !yield(a) {
					return
				}
			}
		})
		f.disk = slices.DeleteFunc(f.disk, same)
		total, parts := sumOf(here, bytesText)
		free, lack := freeIn(dir), ""
		if total > free {
			lack = ", which is too little"
		}
		f.Say("disk", "%s of the %s that are free in %s%s: %s", bytesText(total), bytesText(free), dir, lack, parts)
	}
}

// sumOf returns the sum of amounts and the amounts in words, the largest first.
func sumOf(all []amount, text func(float64) string) (total float64, parts string) {
	if len(all) == 1 {
		return all[0].of, all[0].what
	}
	slices.SortStableFunc(all, func(a, b amount) int { return int(max(-1, min(1, b.of-a.of))) })
	var words []string
	for _, a := range all {
		total += a.of
		words = append(words, text(a.of)+" for "+a.what)
	}
	return total, strings.Join(words, "; ")
}

func bytesText(bytes float64) string { return atomicfile.Size(int64(bytes)) }

// secondsText returns a duration as people say it: "3.2 days", "2h5m", "40 s".
func secondsText(seconds float64) string {
	switch d := time.Duration(seconds * 1e9); {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.1f days", d.Hours()/24)
	case d >= time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	case d >= time.Minute:
		return d.Round(time.Second).String()
	default:
		return fmt.Sprintf("%.3g s", seconds)
	}
}

// freeIn returns the bytes that are free on the disk of a folder, which need not exist.
func freeIn(dir string) float64 {
	var disk unix.Statfs_t
	for unix.Statfs(dir, &disk) != nil && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	return float64(disk.Bavail) * float64(disk.Bsize)
}
