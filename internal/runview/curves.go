package runview

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
)

// Curve is a figure's values by step, in the order of the log.
type Curve struct {
	Steps  []int
	Values []float64
}

// Last returns the newest value, and whether there is one.
func (c *Curve) Last() (value float64, ok bool) {
	if c == nil || len(c.Values) == 0 {
		return 0, false
	}
	return c.Values[len(c.Values)-1], true
}

// Curves is the figures of a log of JSON lines, {"step":20,"train/loss":4.2}, by name.
type Curves struct {
	Names []string // in the order in which they first appear
	Lines int
	Step  int // of the last line

	file   string
	curves map[string]*Curve
	read   int64  // bytes of whole lines
	inode  uint64 // of the file that was read
	last   []byte // the end of what was read: another end means another file
}

// Of returns a figure's curve, nil if there is none of that name.
func (c *Curves) Of(name string) *Curve { return c.curves[name] }

// mostNames bounds the names in a log.
const mostNames = 1 << 14

// kept is how much of what was read is compared when the file is read again.
const kept = 64

// refresh reads the lines that are new. A file that was replaced or cut, as by a run that
// resumes, is read from its start. A last line without an end is left for later.
func (c *Curves) refresh(root *os.Root) (changed bool, err error) {
	f, info, err := open(root, c.file)
	if errors.Is(err, fs.ErrNotExist) {
		changed = c.read > 0
		*c = Curves{file: c.file}
		return changed, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if info.Size() > mostLog {
		return false, tooLong(c.file, mostLog)
	}
	if !c.continues(f, info) {
		*c, changed = Curves{file: c.file}, true
	}
	c.inode = inodeOf(info)
	if info.Size() == c.read {
		return changed, nil
	}
	data := make([]byte, info.Size()-c.read)
	n, err := f.ReadAt(data, c.read)
	if err != nil && !errors.Is(err, io.EOF) {
		return changed, err
	}
	data = data[:bytes.LastIndexByte(data[:n], '\n')+1]
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if err := c.add(data[:end]); err != nil {
			return true, &fs.PathError{Op: "read", Path: c.file, Err: fmt.Errorf("line %d: %w", c.Lines+1, err)}
		}
		c.last = append(c.last[:0], data[max(0, end+1-kept):end+1]...)
		c.read += int64(end + 1)
		data, changed = data[end+1:], true
	}
	return changed, nil
}

// continues reports whether a file still begins with what was read of it.
func (c *Curves) continues(f *os.File, info fs.FileInfo) bool {
	if c.read == 0 {
		return true
	}
	if inodeOf(info) != c.inode {
		return false
	}
	now := make([]byte, len(c.last))
	_, err := f.ReadAt(now, c.read-int64(len(now)))
	return err == nil && bytes.Equal(now, c.last)
}

// add takes a line: an object of a step and numbers.
func (c *Curves) add(line []byte) error {
	names, values, err := parseLine(line)
	if err != nil {
		return err
	}
	step, ok := stepOf(names, values)
	if !ok {
		return errors.New("it has no step")
	}
	for i, name := range names {
		if name == "step" {
			continue
		}
		curve := c.curves[name]
		if curve == nil {
			if len(c.Names) == mostNames {
				return fmt.Errorf("more than %d names", mostNames)
			}
			if c.curves == nil {
				c.curves = map[string]*Curve{}
			}
			curve = &Curve{}
			c.curves[name], c.Names = curve, append(c.Names, name)
		}
		curve.Steps, curve.Values = append(curve.Steps, step), append(curve.Values, values[i])
	}
	c.Step = step
	c.Lines++
	return nil
}

// stepOf returns a line's step, and whether it has one.
func stepOf(names []string, values []float64) (int, bool) {
	i := slices.Index(names, "step")
	if i < 0 || values[i] < 0 || values[i] > 1<<53 {
		return 0, false
	}
	return int(values[i]), true
}

// lastStep returns the step of a log's last whole line; 0: there is none.
func lastStep(root *os.Root, name string) (int, error) {
	f, info, err := open(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var line []byte
	for n := int64(4 << 10); ; n *= 16 { // a line is seldom longer
		n = min(n, mostLine, info.Size())
		end := make([]byte, n)
		got, err := f.ReadAt(end, info.Size()-n)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		whole := end[:bytes.LastIndexByte(end[:got], '\n')+1]
		if len(whole) > 0 {
			line = whole[:len(whole)-1]
		}
		if at := bytes.LastIndexByte(line, '\n'); at >= 0 || n == min(mostLine, info.Size()) {
			line = line[at+1:]
			break
		}
	}
	names, values, _ := parseLine(line)
	step, _ := stepOf(names, values)
	return step, nil
}

// parseLine returns the numbers of an object of numbers, in order. Other members are left
// out. encoding/json would make a map of each line, which takes ten times as long.
func parseLine(line []byte) (names []string, values []float64, err error) {
	if len(line) > mostLine {
		return nil, nil, fmt.Errorf("more than %d bytes", mostLine)
	}
	if names, values, ok := parsePlain(line); ok {
		return names, values, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		return nil, nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		var v float64
		if text := object[name]; string(text) != "null" && json.Unmarshal(text, &v) == nil {
			names, values = append(names, name), append(values, v)
		}
	}
	return names, values, nil
}

// parsePlain parses a line as fmsr writes it, without blanks or escapes; ok is false of others.
func parsePlain(line []byte) (names []string, values []float64, ok bool) {
	if len(line) < 2 || line[0] != '{' || line[len(line)-1] != '}' {
		return nil, nil, false
	}
	for rest := line[1 : len(line)-1]; len(rest) > 0; {
		if rest[0] != '"' {
			return nil, nil, false
		}
		end := bytes.IndexByte(rest[1:], '"')
		if end < 0 || end+2 >= len(rest) || rest[end+2] != ':' {
			return nil, nil, false
		}
		name := rest[1 : end+1]
		if bytes.IndexByte(name, '\\') >= 0 {
			return nil, nil, false
		}
		number, after, more := bytes.Cut(rest[end+3:], []byte(","))
		v, err := strconv.ParseFloat(string(number), 64)
		if err != nil || math.IsInf(v, 0) || math.IsNaN(v) || more && len(after) == 0 {
			return nil, nil, false
		}
		names, values, rest = append(names, string(name)), append(values, v), after
	}
	return names, values, true
}
