package spec

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// largest is how many bytes of a spec are read: more than any resolved one has.
const largest = 1 << 21

// mostKeys of a spec: every stage with all its keys has a tenth of that.
const mostKeys = 2000

// mostStages of a flow.
const mostStages = 100

// mostItems of all lists of a spec: a range of a few characters can ask for any
// number, and the resolved spec has each on a line.
const mostItems = 1 << 16

// tooMuch refuses what the YAML parser would take minutes over: its time grows
// with the square of the depth of nesting (34 s for a hundred thousand "["), its
// memory with that of the number of keys (470 MB for ten thousand), while the
// lexer's grow with the length.
func tooMuch(src []byte) *Diagnostic {
	if len(src) > largest {
		return &Diagnostic{Summary: fmt.Sprintf("is %d bytes long: a spec has at most %d", len(src), largest)}
	}
	keys, depth, dense, line := 0, 0, 0, 0 // open brackets; levels opened on this line without one
	for _, t := range lexer.Tokenize(string(src)) {
		if t.Type == token.MappingValueType {
			keys++
		}
		if t.Position.Line != line {
			line, dense = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType, token.MappingValueType, token.MappingKeyType:
			dense++
		case token.CollectEntryType:
			dense = 0
		case token.AnchorType, token.AliasType, token.TagType:
			return &Diagnostic{Line: t.Position.Line, Col: t.Position.Column,
				Summary: strings.ToLower(t.Type.String()) + " is not used in specs"}
		}
		if keys > mostKeys {
			return &Diagnostic{Line: t.Position.Line, Col: t.Position.Column, Summary: fmt.Sprintf("has more than %d keys", mostKeys)}
		}
		if depth > deepest || dense > deepest {
			return &Diagnostic{Line: t.Position.Line, Col: t.Position.Column, Summary: fmt.Sprintf("nested more than %d deep", deepest)}
		}
	}
	return nil
}
