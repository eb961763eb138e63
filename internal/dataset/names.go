package dataset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestName is the most bytes of a name. A file's name has at most 255 bytes, and that of
// a picture holds a field's name, a step and a hash.
const longestName = 128

// CheckName returns an error unless a field, or a run, may have this name. Folders,
// pictures and logs are named after it, whatever spec, file or checkpoint it comes from.
func CheckName(name string) error {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }
	switch {
	case name == "":
		return errors.New("is empty: want a name")
	case len(name) > longestName:
		return fmt.Errorf("is %.24q... of %d bytes: want at most %d", name, len(name), longestName)
	case strings.ContainsAny(name, `/\`) || name == "." || name == "..":
		return fmt.Errorf(`is %q: want a name that a folder can have, without / and \`, name)
	case strings.ContainsFunc(name, odd):
		return fmt.Errorf("is %q: want only characters that can be printed", name)
	}
	return nil
}

// CheckNames is CheckName for the fields of one set of frames, which are named once each.
func CheckNames(fields []string) error {
	for i, name := range fields {
		if err := CheckName(name); err != nil {
			return fmt.Errorf("the name of field %d %w", i, err)
		}
		if slices.Contains(fields[:i], name) {
			return fmt.Errorf("the field %q is named twice", name)
		}
	}
	return nil
}
