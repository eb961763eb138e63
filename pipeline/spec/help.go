package spec

import (
	"fmt"
	"reflect"
	"strings"

	"fmsr.example/fmsr/internal/terminal"
)

// KeyEntries describes every key of a config, a pointer to a struct that holds the
// defaults.
func KeyEntries(config any) (entries []terminal.Entry) {
	EachKey(config, func(key string, f Field, x reflect.Value) {
		facts := KindName(x.Type())
		if text := Text(x); text != "" {
			facts += ", default " + text
		}
		if f.Flag != "" {
			facts += ", --" + f.Flag
		}
		entries = append(entries, terminal.Entry{Name: key, Text: fmt.Sprintf("%s [%s]", f.Doc(), facts)})
	})
	return entries
}

// FlagEntries describes the flags of a config, with the values that its keys have now.
func FlagEntries(config any) (entries []terminal.Entry) {
	EachKey(config, func(key string, f Field, x reflect.Value) {
		if f.Flag == "" {
			return
		}
		name, doc := "--"+f.Flag+" "+KindName(x.Type()), f.Doc()
		switch values := strings.Join(f.Values(), "|"); {
		case x.Kind() == reflect.Bool:
			name = fmt.Sprintf("--[no-]%s", f.Flag)
		case f.isPath:
			name = "--" + f.Flag + " path"
		case values != "" && len(values) <= shortValues:
			name, doc = "--"+f.Flag+" "+values, f.doc
		}
		if text := Text(x); text != "" {
			doc += " [" + text + "]"
		}
		entries = append(entries, terminal.Entry{Name: name, Text: doc})
	})
	return entries
}

// shortValues is the length of a list of values that is shown in place of their type.
const shortValues = 18

// Values returns the texts that the key can have; nil: any, or it holds no text.
func (f Field) Values() []string { return f.rule.oneof }
