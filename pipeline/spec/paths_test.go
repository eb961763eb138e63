package spec

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestExpand: ~ and ${NAME} in paths of specs and flags are replaced, in other texts not. What
// is not set is an error.
func TestExpand(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	t.Setenv("SCRATCH", "/scratch/me")
	t.Setenv("RUN", "run 7")
	t.Setenv("EMPTY", "")
	overrides := []Override{{Path: "sample_sink.file", Value: "${SCRATCH}/$RUN", Flag: "--out"}}
	src := "version: 1\nflow:\n  - sample_source: {file: \"~\", name: \"${RUN}\", files: [\"${SCRATCH}/${RUN}\", \"x/${RUN}\", \"~/a~/~b\", \"~b\"]}\n  - sample_sink\n"
	spec, err := parse("/specs/a.yaml", []byte(src), overrides)
	if err != nil {
		t.Fatal(err)
	}
	from, sink := spec.Flow[0].Config.(*sampleConfig), spec.Flow[1].Config.(*sampleConfig)
	want := []string{"/scratch/me/run 7", "/specs/x/run 7", "/home/me/a~/~b", "/specs/~b"}
	if from.File != "/home/me" || from.Name != "${RUN}" || !reflect.DeepEqual(from.Files, want) || sink.File != "/scratch/me/$RUN" {
		t.Errorf("paths %q, %q and %q, name %q", from.File, from.Files, sink.File, from.Name)
	}
	for _, path := range []string{"/a/${RUN}", "/a/$${RUN}", "/${NONE}/${RUN}", "/$a/{b}$"} { // in a spec that is written
		from.File, from.Files = path, []string{path}
		again, err := parse("/specs/b.yaml", Write(&spec.Run, spec.Flow[:1]), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := again.Flow[0].Config.(*sampleConfig); got.File != path || got.Files[0] != path {
			t.Errorf("%s is read back as %s, %s", path, got.File, got.Files)
		}
	}
	t.Setenv("HOME", "")
	wantDiagnostics(t, source("      file: \"~/x\"\n      files: [\"a/${NONE}/b\", \"${EMPTY}\"]\n"), nil,
		`s.yaml:4:13: flow[0].sample_source.file: is "~/x", but the home folder is unknown: set HOME`,
		`s.yaml:5:15: flow[0].sample_source.files[0]: is "a/${NONE}/b", but the environment variable ${NONE} is not set, or empty`,
		`s.yaml:5:30: flow[0].sample_source.files[1]: is "${EMPTY}", but the environment variable ${EMPTY} is not set, or empty`)
}

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
