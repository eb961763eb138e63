package spec

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
)

// resolve makes a path absolute. A path in the spec starts at the spec's folder, a
// flag's at the current one.
func (d *decoder) resolve(path string, at Place) (string, error) {
	if path == "" {
		return "", nil
	}
	path, err := Expand(path)
	if err == nil && at.flag == "" && !filepath.IsAbs(path) {
		path = filepath.Join(d.folder, path)
	}
	return Absolute(path), err
}

// variable is ${NAME}, or $${NAME} for these letters themselves.
var variable = regexp.MustCompile(`\$?\$\{[^{}]*\}`)

// literal writes a path so that Expand returns it: $${NAME} for ${NAME}.
func literal(path string) string {
	return variable.ReplaceAllStringFunc(path, func(found string) string { return "$" + found })
}

// Expand replaces ${NAME} in a path by the environment variable, $${NAME} by ${NAME}, and ~
// before its first / by the home folder. It returns an error if one of them is not set.
func Expand(path string) (string, error) {
	home, rest := "", path
	if path == "~" || strings.HasPrefix(path, "~/") {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return path, fmt.Errorf("is %q, but the home folder is unknown: set HOME", path)
		}
		rest = path[1:]
	}
	unset := ""
	rest = variable.ReplaceAllStringFunc(rest, func(reference string) string {
		if strings.HasPrefix(reference, "$$") {
			return reference[1:]
		}
		value := os.Getenv(reference[2 : len(reference)-1])
		if value == "" {
			unset = reference
		}
		return value
	})
	if unset != "" {
		return path, fmt.Errorf("is %q, but the environment variable %s is not set, or empty", path, unset)
	}
	return home + rest, nil
}

// Absolute returns the absolute path, or the path unchanged if the current folder is
// unknown.
func Absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// defaultPaths makes the paths among a config's defaults absolute. They start at the
// current folder, and must still do so when the resolved spec is in another folder.
func defaultPaths(config reflect.Value) {
	for _, f := range fieldsOf(config.Type()) {
		x := config.FieldByIndex(f.index)
		switch {
		case x.Kind() == reflect.Struct:
			defaultPaths(x)
		case x.Kind() == reflect.Pointer && !x.IsNil():
			defaultPaths(x.Elem())
		case f.isPath && x.Kind() == reflect.Slice:
			for i := range x.Len() {
				setAbsolute(x.Index(i))
			}
		case f.isPath:
			setAbsolute(x)
		}
	}
}

func setAbsolute(path reflect.Value) {
	if path.String() != "" {
		text, _ := Expand(path.String()) // which leaves a path alone that it cannot expand
		path.SetString(Absolute(text))
	}
}
