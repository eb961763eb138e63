package dataset

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// texts numbers the texts that stand in place of {run} or {time}: 0, 1, ... in their order.
type texts map[string]int

// number gives the texts their numbers.
func (w texts) number() {
	for i, text := range slices.SortedFunc(maps.Keys(w), InOrder) {
		w[text] = i
	}
}

var decimal = regexp.MustCompile(`^\d+\.\d+$`)

// InOrder compares names of runs, and times: decimal numbers by their values, others with the
// numbers in them by their values, so that run_9 is before run_10.
func InOrder(a, b string) int {
	if decimal.MatchString(a) && decimal.MatchString(b) {
		x, _ := strconv.ParseFloat(a, 64)
		y, _ := strconv.ParseFloat(b, 64)
		if d := cmp.Compare(x, y); d != 0 {
			return d
		}
	}
	x, y := pieces.FindAllString(a, -1), pieces.FindAllString(b, -1)
	for i := range min(len(x), len(y)) {
		m, n := strings.TrimLeft(x[i], "0"), strings.TrimLeft(y[i], "0")
		if isNumber(x[i]) && isNumber(y[i]) {
			if d := cmp.Or(len(m)-len(n), strings.Compare(m, n)); d != 0 {
				return d
			}
		} else if d := strings.Compare(x[i], y[i]); d != 0 {
			return d
		}
	}
	return cmp.Or(len(x)-len(y), strings.Compare(a, b))
}

// pieces are the numbers in a text, and what is between them.
var pieces = regexp.MustCompile(`\d+|\D+`)

func isNumber(piece string) bool { return piece[0] >= '0' && piece[0] <= '9' }
