package spec

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// resolve makes a path absolute. A path in the spec starts at the spec's folder, a
// flag's at the current one.
func (d *decoder) resolve(path string, at Place) string {
	if path == "" {
		return ""
	}
	path = atHome(path)
	if at.flag == "" && !filepath.IsAbs(path) {
		path = filepath.Join(d.folder, path)
	}
	return Absolute(path)
}

// atHome replaces a leading ~/ by the home folder.
func atHome(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return path
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
		path.SetString(Absolute(atHome(path.String())))
	}
}
