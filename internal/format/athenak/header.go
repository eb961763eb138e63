package athenak

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"fmsr.example/fmsr/internal/frames"
)

// Header is what a file says of itself.
type Header struct {
	frames.Moment
	Variables  []string // as AthenaK names them: dens, velx, bcc1, jz
	Parameters Parameters

	realSize, valueSize int // bytes of an edge of a MeshBlock, and of a value
}

// Parameters are the input file's, as text: by block and key.
type Parameters map[string]map[string]string

const (
	magic      = "Athena binary output version=1.1"
	longLine   = 1 << 16 // bytes of a line of the header: that of the variables is the longest
	longHeader = 1 << 22 // bytes of the input file
)

// read reads the header of a file of size bytes, and returns where the MeshBlocks begin.
func (h *Header) read(file io.ReaderAt, size int64) (end int64, err error) {
	r := &lines{r: bufio.NewReader(io.NewSectionReader(file, 0, min(size, longHeader+16*longLine)))}
	if first, err := r.next(); err != nil || first != magic {
		return 0, fmt.Errorf("not an AthenaK file of version 1.1: it starts with %.40q, want %q", first, magic)
	}
	n := r.whole("size of preheader")
	if n != 5 {
		r.fail("size of preheader %d, want 5", n)
	}
	h.Moment = frames.Moment{Known: true, Time: r.real("time"), Cycle: r.whole("cycle")}
	h.realSize, h.valueSize = r.width("size of location"), r.width("size of variable")
	n = r.whole("number of variables")
	h.Variables = strings.Fields(r.value("variables", ":"))
	if n != len(h.Variables) || n < 1 {
		r.fail("%d variables, and %d names: %.200q", n, len(h.Variables), h.Variables)
	}
	length := r.whole("header offset")
	if length < 0 || length > longHeader || int64(length) > size-r.at {
		r.fail("an input file of %d bytes in a file of %d: it is truncated, or no header", length, size)
	}
	if r.err != nil {
		return 0, r.err
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r.r, text); err != nil {
		return 0, fmt.Errorf("truncated within the header: %w", err)
	}
	h.Parameters = parseParameters(string(text))
	return r.at + int64(length), nil
}

// lines reads the lines "key=value" of a header in their order. After the first error it
// reads nothing.
type lines struct {
	r   *bufio.Reader
	at  int64 // bytes read
	err error
}

func (l *lines) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf("header: "+format, args...)
	}
}

func (l *lines) next() (string, error) {
	line, err := l.r.ReadString('\n')
	l.at += int64(len(line))
	if err == nil && len(line) > longLine {
		err = errors.New("a line that is too long")
	}
	return strings.TrimSpace(line), err
}

// value returns the next line's value, which must be that of the key.
func (l *lines) value(key, sign string) string {
	if l.err != nil {
		return ""
	}
	line, err := l.next()
	name, value, ok := strings.Cut(line, sign)
	switch {
	case err != nil:
		l.fail("truncated before %q", key)
	case !ok || strings.TrimSpace(name) != key:
		l.fail("%.80q, want %s%s...", line, key, sign)
	}
	return strings.TrimSpace(value)
}

func (l *lines) whole(key string) int {
	text := l.value(key, "=")
	n, err := strconv.Atoi(text)
	if err != nil {
		l.fail("%s=%.40q: want a whole number", key, text)
	}
	return n
}

func (l *lines) real(key string) float64 {
	text := l.value(key, "=")
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		l.fail("%s=%.40q: want a number", key, text)
	}
	return x
}

// width returns the bytes of a number.
func (l *lines) width(key string) int {
	n := l.whole(key)
	if n != 4 && n != 8 {
		l.fail("%s=%d: want 4 or 8", key, n)
	}
	return n
}

// parseParameters reads the text of an input file: <block>, then key = value # comment.
func parseParameters(text string) Parameters {
	p := Parameters{}
	var block map[string]string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "<"); ok {
			name = strings.TrimSuffix(name, ">")
			if p[name] == nil {
				p[name] = map[string]string{}
			}
			block = p[name]
		} else if key, value, ok := strings.Cut(line, "="); ok && block != nil {
			block[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return p
}
