package spec

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// largest is the number of bytes that a spec can have. No resolved spec comes near it.
const largest = 1 << 21

// mostKeys is the number of keys that a spec can have. All stages with all their keys
// have a tenth of that.
const mostKeys = 2000

// mostStages is the number of stages that a flow can have.
const mostStages = 100

// mostItems is the number of items that all lists of a spec can have together. A range
// of a few characters can ask for any number.
const mostItems = 1 << 16

// tooMuch returns a problem for text that would take the YAML parser minutes. The
// parser's time grows with the square of the depth (34 s for a hundred thousand "["),
// its memory with the square of the number of keys (470 MB for ten thousand). The
// lexer, which this uses, is linear.
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
