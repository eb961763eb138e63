package pipeline

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// resolve makes a path absolute: those in the spec start at its folder, those
// of flags at the current one.
func (d *decoder) resolve(path string, at place) string {
	if path == "" {
		return ""
	}
	path = atHome(path)
	if at.flag == "" && !filepath.IsAbs(path) {
		path = filepath.Join(d.folder, path)
	}
	return absolute(path)
}

// atHome puts the home folder where a path starts with ~/.
func atHome(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return path
}

// absolute leaves a path as it is where the current folder is not known.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// defaultPaths makes the paths among a config's defaults absolute: they start at
// the current folder, and must still do so when a resolved spec lies elsewhere.
func defaultPaths(config reflect.Value) {
	for _, f := range fieldsOf(config.Type()) {
		x := config.Field(f.index)
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
		path.SetString(absolute(atHome(path.String())))
	}
}
