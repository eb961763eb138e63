package spec

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Document is a spec that has been read and gathers its problems. Its parts are
// decoded into configs one by one.
type Document struct {
	File string
	Run  *Part   // the run section; without keys if the spec has none
	Flow []*Part // the items of the flow; nil for an item that is not one

	decoder
}

// Part is a section or an item of the flow: a name and keys.
type Part struct {
	Name  string
	Path  string // for messages: "flow[3].pool_upsample"
	Place Place

	keys *value
}

// New returns a document without text, for configs that are filled in code.
func New(file string) *Document {
	d := &Document{File: file, decoder: decoder{file: file, folder: filepath.Dir(file)}}
	d.Run = d.Part("run")
	return d
}

// Part returns a part without keys.
func (d *Document) Part(path string) *Part { return &Part{Path: path, keys: &value{}} }

// Read reads a spec and applies overrides. If the text does not have the form of a
// spec, the missing parts are nil and Diagnostics tells why.
func Read(file string, src []byte, overrides []Override) *Document {
	d := New(file)
	src = bytes.TrimPrefix(src, []byte("\ufeff")) // Windows editors' byte order mark
	root, bad := (*value)(nil), tooMuch(src)
	if bad == nil {
		root, bad = parseYAML(src)
	}
	switch {
	case bad != nil:
		bad.File = d.File
		if bad.Line == 0 {
			bad.Line, bad.Col = 1, 1
		}
		d.diags = append(d.diags, *bad)
	case root == nil || root.isNull():
		d.Report(Place{line: 1, col: 1}, "", "the spec is empty: want version, run and flow")
	case !root.isMap:
		d.Report(root.Place, "", "the spec is %s: want version, run and flow", root.what())
	default:
		d.override(root, overrides)
		d.checkTop(root)
		d.findRun(root)
		d.findFlow(root)
		return d
	}
	d.Run = nil
	return d
}

// Diagnostics returns all problems found so far, in order. A flag may reach several stages:
// what all of them say of its value is one problem.
func (d *Document) Diagnostics() Diagnostics {
	d.diags.sort()
	seen := map[string]bool{}
	d.diags = slices.DeleteFunc(d.diags, func(p Diagnostic) bool {
		line := p.String()
		again := p.Flag != "" && seen[line]
		seen[line] = true
		return again
	})
	return d.diags
}

// checkTop checks the document's own keys and the version.
func (d *Document) checkTop(root *value) {
	top := []string{"version", "run", "flow"}
	for _, e := range root.entries {
		if !slices.Contains(top, e.key) {
			d.Unknown(e.Place, e.key, "unknown key", e.key, top)
		}
	}
	v := root.get("version")
	if v == nil {
		d.Report(root.Place, "version", "is missing: want version: 1")
		return
	}
	if n, ok := whole(v.val.scalar); !ok || n != 1 {
		d.Report(v.val.Place, "version", "is %s: want 1", v.val.what())
	}
}

func (d *Document) findRun(root *value) {
	d.Run.Place = root.Place
	if e := root.get("run"); e != nil {
		d.Run.keys, d.Run.Place = e.val, e.val.Place
	}
}

func (d *Document) findFlow(root *value) {
	e := root.get("flow")
	if e == nil {
		d.Report(root.Place, "flow", "is missing: list the stages")
		return
	}
	if !e.val.isList || len(e.val.items) == 0 {
		d.Report(e.Place, "flow", "is %s: list the stages", strings.Replace(e.val.what(), "a list", "empty", 1))
		return
	}
	if n := len(e.val.items); n > mostStages {
		d.Report(e.Place, "flow", "has %d stages: want at most %d", n, mostStages)
		return
	}
	for i, item := range e.val.items {
		d.Flow = append(d.Flow, d.part(item, i))
	}
}

// part reads the i-th item of the flow: a name, or a name with keys.
func (d *Document) part(item *value, i int) *Part {
	p := &Part{keys: &value{}, Place: item.Place}
	switch text, isText := item.scalar.(string); {
	case isText:
		p.Name = text
	case item.isMap && len(item.entries) == 1:
		e := item.entries[0]
		p.Name, p.keys, p.Place = e.key, e.val, e.Place
	default:
		d.Report(item.Place, fmt.Sprintf("flow[%d]", i), "wants one stage and its keys, got %s", item.what())
		return nil
	}
	p.Path = fmt.Sprintf("flow[%d].%s", i, p.Name)
	return p
}
