package npy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/sbinet/npyio/npy"
)

// longestHeader bounds the bytes that are read before anything is known of a file.
const longestHeader = 1 << 16

// readHeader returns the shape, type and order, and how many bytes the header has.
func readHeader(r io.Reader) (f *File, length int, err error) {
	head, fixed, err := readText(r)
	if err != nil {
		return nil, 0, err
	}
	text := string(head[fixed:])
	parsed, err := parseHeader(text)
	if err != nil {
		return nil, 0, fmt.Errorf("npy header %.200q: want {'descr': ..., 'fortran_order': ..., 'shape': ...}: %w", strings.TrimSpace(text), err)
	}
	dtype := plainType(parsed.Descr.Type)
	if dtype == "" {
		return nil, 0, fmt.Errorf("dtype %.200q: want float32, float64 or float16 (numpy: a.astype('<f4'))", parsed.Descr.Type)
	}
	return &File{Shape: parsed.Descr.Shape, DType: dtype, Fortran: parsed.Descr.Fortran}, len(head), nil
}

// readText reads a header. Its text starts at byte fixed.
func readText(r io.Reader) (head []byte, fixed int, err error) {
	// magic, version (2), header length (2 or, from version 2 on, 4)
	prefix := make([]byte, 12)
	if n, err := io.ReadFull(r, prefix); err != nil {
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, 0, err
		}
		return nil, 0, fmt.Errorf("not an npy file: %d bytes long", n)
	}
	if !bytes.HasPrefix(prefix, []byte("\x93NUMPY")) {
		return nil, 0, fmt.Errorf("not an npy file: it starts with %q", prefix[:6])
	}
	if v := prefix[6:8]; v[0] < 1 || v[0] > 3 {
		return nil, 0, fmt.Errorf("npy version %d.%d: want 1.0, 2.0 or 3.0", v[0], v[1])
	}
	fixed, rest := 10, int(prefix[8])|int(prefix[9])<<8
	if prefix[6] >= 2 {
		fixed, rest = 12, rest|int(prefix[10])<<16|int(prefix[11])<<24
	}
	if rest > longestHeader {
		return nil, 0, fmt.Errorf("an npy header of %d bytes: want at most %d", rest, longestHeader)
	}
	if fixed+rest < len(prefix) {
		return nil, 0, fmt.Errorf("an npy header of %d bytes", rest)
	}
	head = make([]byte, fixed+rest)
	n := copy(head, prefix)
	if _, err := io.ReadFull(r, head[n:]); err != nil {
		return nil, 0, errors.New("truncated within the npy header")
	}
	return head, fixed, nil
}

// plainType returns the name in sizes of a type that numpy.dtype understands, or "". A type
// without a byte order has this machine's, which is little-endian.
func plainType(name string) string {
	order, kind := "<", name
	if name != "" && strings.Contains("<>=|", name[:1]) {
		kind = name[1:]
		if name[0] == '>' {
			order = ">"
		}
	}
	for plain, names := range map[string][]string{
		"f2": {"f2", "e", "float16", "half"},
		"f4": {"f4", "f", "float32", "single"},
		"f8": {"f8", "d", "float64", "double", "float"},
	} {
		if slices.Contains(names, kind) {
			return order + plain
		}
	}
	return ""
}

// parseHeader reads a Python dict as writers of npy files print it: the keys in any order,
// with any quotes, blanks and commas that Python allows, and the longs of Python 2.
func parseHeader(text string) (npy.Header, error) {
	var h npy.Header
	p := &literal{rest: text}
	p.want("{")
	seen := map[string]bool{}
	for p.err == nil && !p.take("}") {
		key := p.text()
		p.want(":")
		switch {
		case p.err != nil:
		case seen[key]:
			p.fail("key %q is there twice", key)
		case key == "descr":
			h.Descr.Type = p.dtype()
		case key == "fortran_order":
			h.Descr.Fortran = p.truth()
		case key == "shape":
			h.Descr.Shape = p.shape()
		default:
			p.fail("unknown key %q", key)
		}
		seen[key] = true
		p.comma("}")
	}
	if p.err == nil && len(seen) != 3 {
		p.fail("%d keys", len(seen))
	}
	if p.blank(); p.err == nil && p.rest != "" {
		p.fail("%.20q behind its end", strings.TrimSpace(p.rest))
	}
	return h, p.err
}

// literal reads Python literals from the start of rest. After the first error it reads
// nothing.
type literal struct {
	rest string
	err  error
}

func (p *literal) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *literal) blank() { p.rest = strings.TrimLeft(p.rest, " \t\r\n\f") }

// take reads a token if it is next.
func (p *literal) take(token string) bool {
	p.blank()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok && p.err == nil {
		p.rest = rest
		return true
	}
	return false
}

func (p *literal) want(token string) {
	if !p.take(token) {
		p.fail("want %s before %.20q", token, p.rest)
	}
}

// comma reads the comma behind an item, which may be missing behind the last one.
func (p *literal) comma(end string) {
	if !p.take(",") && !strings.HasPrefix(p.rest, end) {
		p.fail("want a comma or %s before %.20q", end, p.rest)
	}
}

// text reads 'text' or "text", without escapes.
func (p *literal) text() string {
	for _, quote := range []string{"'", `"`} {
		if !p.take(quote) && !p.take("u"+quote) {
			continue
		}
		text, rest, ok := strings.Cut(p.rest, quote)
		if !ok || strings.ContainsAny(text, "\\\n") {
			p.fail("want text before %.20q", p.rest)
			return ""
		}
		p.rest = rest
		return text
	}
	p.fail("want text before %.20q", p.rest)
	return ""
}

// dtype reads a type's name. Of a list of fields, which fmsr does not read, it returns the
// Python text.
func (p *literal) dtype() string {
	if p.blank(); !strings.HasPrefix(p.rest, "[") {
		return p.text()
	}
	end := strings.LastIndex(p.rest, "]") + 1
	if end == 0 {
		p.fail("want ] behind %.20q", p.rest)
	}
	list := p.rest[:end]
	p.rest = p.rest[end:]
	return list
}

func (p *literal) truth() bool {
	if p.take("True") {
		return true
	}
	p.want("False")
	return false
}

// shape reads (2, 3), (2,), () or (2L, 3L).
func (p *literal) shape() (shape []int) {
	p.want("(")
	for p.err == nil && !p.take(")") {
		p.blank()
		digits := len(p.rest) - len(strings.TrimLeft(p.rest, "0123456789"))
		n, err := strconv.Atoi(p.rest[:digits])
		if err != nil {
			p.fail("want a length before %.20q", p.rest)
			return nil
		}
		p.rest = strings.TrimPrefix(p.rest[digits:], "L")
		shape = append(shape, n)
		p.comma(")")
	}
	return shape
}
