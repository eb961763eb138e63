// Package terminal writes text for a person to read. Names of files, fields and stages come
// from outside, and must not move a terminal's cursor or change its colours.
package terminal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Writer passes text on with everything but printable characters, newlines and tabs
// escaped, as \x1b. A reader that is gone (a closed terminal, or head after its last line)
// is no error, so that the work continues.
type Writer struct{ to io.Writer }

// New returns a Writer to a terminal, a file or a pipe.
func New(to io.Writer) *Writer { return &Writer{to} }

// Write writes whole lines, or texts that end between characters.
func (w *Writer) Write(text []byte) (int, error) {
	if _, err := io.WriteString(w.to, Printable(string(text))); err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.EIO) {
		return 0, err
	}
	return len(text), nil
}

// Screen returns the terminal that out writes to, if lines can be drawn on it again; nil:
// they cannot.
func Screen(out io.Writer) *os.File {
	w, ok := out.(*Writer)
	if !ok || os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == "" {
		return nil
	}
	if f, ok := w.to.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// Foreground reports whether this process is in the foreground of its terminal. One in the
// background would draw over what the user types. A rank has a process group of its own: then
// its launcher has to be in the foreground.
func Foreground(screen *os.File) bool {
	group, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPGRP)
	if err != nil || group == unix.Getpgrp() {
		return true
	}
	parent, err := unix.Getpgid(os.Getppid())
	return err == nil && group == parent && os.Getenv("RANK") != ""
}

// Line is Printable for a text that has to stay on one line: a file's name may have more.
func Line(text string) string {
	return strings.NewReplacer("\n", `\x0a`, "\t", `\x09`).Replace(Printable(text))
}

// Printable returns a text with everything but printable characters, newlines and tabs
// escaped.
func Printable(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unicode.IsPrint(r) || r == '\n' || r == '\t':
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
