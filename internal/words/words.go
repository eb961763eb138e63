// Package words writes numbers as people do.
package words

import (
	"fmt"
	"strings"
	"time"
)

// Count writes a number of things: "1 file", "2 files". The plural of things ends in s; of one
// that ends in y after a consonant, in ies.
func Count(n int, thing string) string { return fmt.Sprintf("%d %s", n, Plural(n, thing)) }

// Plural returns the thing for that number of it: "file", "files".
func Plural(n int, thing string) string {
	switch {
	case n == 1:
		return thing
	case strings.HasSuffix(thing, "y") && !strings.HasSuffix(thing, "ay"):
		return strings.TrimSuffix(thing, "y") + "ies"
	}
	return thing + "s"
}

// Rough writes a duration with two digits, in its largest unit: "3.2 h".
func Rough(d time.Duration) string {
	for _, unit := range []struct {
		name string
		is   time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}} {
		if d >= unit.is {
			return fmt.Sprintf("%.2g %s", float64(d)/float64(unit.is), unit.name)
		}
	}
	return fmt.Sprintf("%.2g s", d.Seconds())
}
