package spec

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestDefaultPaths: paths among the defaults start at the current folder, not at
// the spec's.
func TestDefaultPaths(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	spec, err := parse("/specs/a.yaml", []byte("version: 1\nflow: [sample_source, sample_paths]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := reflect.ValueOf(spec.Flow[1].Config).Elem()
	if got := c.Field(0).String(); got != filepath.Join(cwd, "here") {
		t.Errorf("file %s", got)
	}
	if got, want := c.Field(1).Interface(), []string{"/home/me/a", "/b", ""}; !reflect.DeepEqual(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}
