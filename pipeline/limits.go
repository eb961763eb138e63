package pipeline

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// largest is how many bytes of a spec are read. A resolved spec that lists ten
// thousand frames has a fifth of that.
const largest = 1 << 20

// tooMuch refuses what the YAML parser would take minutes over: its time grows
// with the square of the depth of nesting (34 s for a hundred thousand "["),
// while the lexer's grows with the length.
func tooMuch(src []byte) *Diagnostic {
	if len(src) > largest {
		return &Diagnostic{Message: fmt.Sprintf("is %d bytes long: a spec has at most %d", len(src), largest)}
	}
	depth, dense, line := 0, 0, 0 // open brackets; levels opened on this line without one
	for _, t := range lexer.Tokenize(string(src)) {
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
				Message: strings.ToLower(t.Type.String()) + " is not used in specs"}
		}
		if depth > deepest || dense > deepest {
			return &Diagnostic{Line: t.Position.Line, Col: t.Position.Column, Message: fmt.Sprintf("nested more than %d deep", deepest)}
		}
	}
	return nil
}
