package runview

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Spec is a run's resolved spec, key by key.
type Spec struct {
	Text string // spec.yaml
	Flow []string
	Keys []Key
}

// Key is a key of a spec, as --set names it, and its value as it is written.
type Key struct{ Path, Value string }

// Get returns the value of a key, "train.lr"; empty: there is none.
func (s *Spec) Get(path string) string {
	for _, k := range s.Keys {
		if k.Path == path {
			return k.Value
		}
	}
	return ""
}

// Number returns the whole number that a key holds; 0: it holds none.
func (s *Spec) Number(path string) int {
	n, _ := strconv.Atoi(s.Get(path))
	return n
}

// parseSpec returns the keys of a spec that fmsr wrote. Anchors and other YAML that fmsr does
// not write are text.
func parseSpec(text []byte) (Spec, error) {
	s := Spec{Text: string(text)}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) { // its Error prints the file, in memory that grows with the square of its length
			err = errors.New(syntax.GetMessage())
		}
		return s, err
	}
	for _, doc := range file.Docs {
		for _, e := range entries(doc.Body) {
			if name := keyOf(e); name == "flow" {
				s.addFlow(e.Value)
			} else {
				s.add(name, e.Value, 0)
			}
		}
	}
	return s, nil
}

// addFlow adds the stages of the flow.
func (s *Spec) addFlow(n ast.Node) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return
	}
	for i, stage := range list.Values {
		for _, e := range entries(stage) {
			name := keyOf(e)
			if slices.Contains(s.Flow, name) {
				name = fmt.Sprintf("%s[%d]", name, i)
			}
			s.Flow = append(s.Flow, name)
			s.add(name, e.Value, 0)
		}
	}
}

// deepest bounds the recursion into a hostile file.
const deepest = 16

// add adds the keys below a path.
func (s *Spec) add(path string, n ast.Node, depth int) {
	if inside := entries(n); len(inside) > 0 && depth < deepest {
		for _, e := range inside {
			s.add(path+"."+keyOf(e), e.Value, depth+1)
		}
		return
	}
	if _, empty := n.(*ast.NullNode); empty && depth == 0 { // a stage without keys
		return
	}
	s.Keys = append(s.Keys, Key{path, written(n, depth)})
}

// written returns a value on one line, names without their quotes.
func written(n ast.Node, depth int) string {
	switch n := n.(type) {
	case *ast.SequenceNode:
		var items []string
		for _, item := range n.Values {
			if depth < deepest {
				items = append(items, written(item, depth+1))
			}
		}
		return "[" + strings.Join(items, ", ") + "]"
	case *ast.MappingNode: // of no entries, or of too many levels
		return "{}"
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case nil:
		return ""
	}
	if t := n.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

func entries(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

func keyOf(e *ast.MappingValueNode) string {
	if k, ok := e.Key.(*ast.StringNode); ok {
		return k.Value
	}
	return e.Key.GetToken().Value
}

// Difference is a key that not all of several specs have with the same value.
type Difference struct {
	Path   string
	Values []string // of each spec; empty: it has no such key
}

// Differences returns the keys that differ, in the order of the specs. run.name and run.dir
// say nothing.
func Differences(specs ...*Spec) (all []Difference) {
	seen := map[string]bool{"run.name": true, "run.dir": true}
	for _, s := range specs {
		for _, k := range s.Keys {
			if seen[k.Path] {
				continue
			}
			seen[k.Path] = true
			d := Difference{Path: k.Path}
			for _, other := range specs {
				d.Values = append(d.Values, other.Get(k.Path))
			}
			if slices.ContainsFunc(d.Values, func(v string) bool { return v != d.Values[0] }) {
				all = append(all, d)
			}
		}
	}
	return all
}
