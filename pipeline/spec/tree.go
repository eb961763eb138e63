package spec

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// value is a YAML value and its place, before it is decoded into a struct.
type value struct {
	Place
	scalar  any      // nil, bool, int64, uint64, float64 or string
	plain   string   // the text of a scalar that was written without quotes
	items   []*value // of a list
	entries []*entry // of a map
	isList  bool
	isMap   bool
}

type entry struct {
	Place
	key string
	val *value
}

// Place is where a value was written: in the file, or by a flag. The zero value is
// no place.
type Place struct {
	line, col int
	flag      string
}

// what returns a description of the value for messages.
func (v *value) what() string {
	switch {
	case v.isMap:
		return "a map"
	case v.isList:
		return "a list"
	case v.scalar == nil:
		return "nothing"
	}
	if s, ok := v.scalar.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return v.name()
}

// name returns a scalar as a name: 007 and True as they are written.
func (v *value) name() string {
	if v.plain != "" {
		return v.plain
	}
	return fmt.Sprint(v.scalar)
}

func (v *value) get(key string) *entry {
	for _, e := range v.entries {
		if e.key == key {
			return e
		}
	}
	return nil
}

// set writes a value under a key, in place of the old one.
func (v *value) set(key string, val *value) {
	if e := v.get(key); e != nil {
		e.Place, e.val = val.Place, val
		return
	}
	v.entries = append(v.entries, &entry{Place: val.Place, key: key, val: val})
}

// parseYAML returns the one document of src as a tree, nil for an empty one, or
// an error with its place.
func parseYAML(src []byte) (*value, *Diagnostic) {
	file, err := parser.ParseBytes(src, 0)
	if err != nil {
		return nil, syntaxDiagnostic(err)
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			at := doc.Body.GetToken().Position
			return nil, &Diagnostic{Line: at.Line, Col: at.Column, Summary: "a second YAML document: a spec is one"}
		}
		body = doc.Body
	}
	if body == nil {
		return nil, nil
	}
	return convert(body, 0)
}

func syntaxDiagnostic(err error) *Diagnostic {
	var syntax yaml.Error
	if !errors.As(err, &syntax) {
		return &Diagnostic{Summary: err.Error()}
	}
	d := &Diagnostic{Summary: syntax.GetMessage()} // its Error prints the file, in memory that grows with the square of the file's length
	if t := syntax.GetToken(); t != nil && t.Position != nil {
		d.Line, d.Col = t.Position.Line, t.Position.Column
	}
	return d
}

// deepest limits the recursion into a hostile file.
const deepest = 64

func convert(n ast.Node, depth int) (*value, *Diagnostic) {
	v := &value{}
	if t := n.GetToken(); t != nil && t.Position != nil {
		v.line, v.col = t.Position.Line, t.Position.Column
	}
	fail := func(format string, args ...any) (*value, *Diagnostic) {
		return nil, &Diagnostic{Line: v.line, Col: v.col, Summary: fmt.Sprintf(format, args...)}
	}
	if depth > deepest {
		return fail("nested more than %d deep", deepest)
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		v.isMap = true
		for _, e := range n.Values {
			if d := v.addEntry(e, depth); d != nil {
				return nil, d
			}
		}
		if len(v.entries) > 0 { // a block map's own token is its first colon
			v.Place = v.entries[0].Place
		}
	case *ast.MappingValueNode:
		v.isMap = true
		if d := v.addEntry(n, depth); d != nil {
			return nil, d
		}
		v.Place = v.entries[0].Place
	case *ast.SequenceNode:
		v.isList = true
		for _, item := range n.Values {
			c, d := convert(item, depth+1)
			if d != nil {
				return nil, d
			}
			v.items = append(v.items, c)
		}
	case *ast.NullNode:
	case *ast.BoolNode:
		v.scalar, v.plain = n.Value, n.Token.Value
	case *ast.InfinityNode:
		v.scalar, v.plain = n.Value, n.Token.Value
	case *ast.NanNode:
		v.scalar, v.plain = math.NaN(), n.Token.Value
	case *ast.IntegerNode: // the parser's value of 010 is 8
		v.scalar, v.plain = scalarOf(n.Token.Value), n.Token.Value
	case *ast.FloatNode:
		v.scalar, v.plain = scalarOf(n.Token.Value), n.Token.Value
	case *ast.StringNode:
		v.scalar = n.Value
		if n.Token.Type == token.StringType { // plain: the parser takes 1e-3 for text
			v.scalar, v.plain = scalarOf(n.Value), n.Value
		}
	case *ast.LiteralNode:
		v.scalar = n.Value.Value
	default:
		return fail("%s is not used in specs", strings.ToLower(n.Type().String()))
	}
	return v, nil
}

func (v *value) addEntry(n *ast.MappingValueNode, depth int) *Diagnostic {
	at := n.Key.GetToken().Position
	e := &entry{Place: Place{line: at.Line, col: at.Column}}
	switch k := n.Key.(type) {
	case *ast.StringNode:
		e.key = k.Value
	case *ast.MergeKeyNode:
		return &Diagnostic{Line: at.Line, Col: at.Column, Summary: "merge keys are not used in specs"}
	default:
		e.key = n.Key.GetToken().Value
	}
	if v.get(e.key) != nil {
		return &Diagnostic{Line: at.Line, Col: at.Column, Summary: fmt.Sprintf("key %q is given twice", e.key)}
	}
	var d *Diagnostic
	if e.val, d = convert(n.Value, depth+1); d != nil {
		return d
	}
	v.entries = append(v.entries, e)
	return nil
}
