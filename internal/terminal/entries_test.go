package terminal

import (
	"strings"
	"testing"
)

func TestEntries(t *testing.T) {
	var b strings.Builder
	long := strings.Repeat("word ", 20)
	Entries(&b, []Entry{{"--a", "short"}, {"--bcd", long}, {"--" + strings.Repeat("n", 30), "below its name"}})
	want := "  --a    short\n" +
		"  --bcd  " + strings.TrimSpace(long[:5*14]) + "\n" +
		"         " + strings.TrimSpace(long[5*14:]) + "\n" +
		"  --" + strings.Repeat("n", 30) + "\n" +
		"         below its name\n"
	if got := b.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if len(line) > Width {
			t.Errorf("%q has %d columns", line, len(line))
		}
	}
}

func TestFill(t *testing.T) {
	long := strings.TrimSpace(strings.Repeat("word ", 16)) // 79 columns
	text := "One\nsentence.\n\n" + long + " more\n  a     short\n  bb    " + long + "\n\n\t" + long + "   a picture"
	want := "One sentence.\n\n" + long + "\nmore\n  a     short\n  bb    " + long[:14*5-1] + "\n        word word\n\n\t" + long + "   a picture"
	if got := Fill(text); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
