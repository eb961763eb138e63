package pipeline

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// flagDef is a flag that stands for a key, or for the same key of several stages.
type flagDef struct {
	name, doc, kind string
	paths, presets  []string // of each key: "train.lr", "0.0002"
	isBool          bool
}

// usage is the flag's line in the help: what it is, its keys and their defaults.
func (d flagDef) usage() string {
	if len(slices.Compact(slices.Clone(d.presets))) == 1 {
		return fmt.Sprintf("%s [%s%s]", d.doc, strings.Join(d.paths, ", "), orNothing(", default ", d.presets[0]))
	}
	keys := make([]string, len(d.paths))
	for i, path := range d.paths {
		keys[i] = path + orNothing(", default ", d.presets[i])
	}
	return fmt.Sprintf("%s [%s]", d.doc, strings.Join(keys, "; "))
}

// orNothing is text after what introduces it.
func orNothing(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// flagDefs are the flags that the fields of Run and of the stages' configs ask for.
func flagDefs() []flagDef {
	run := defaultRun()
	all := flagsOf("run", &run)
	for _, d := range Declarations() {
		all = append(all, flagsOf(d.Name, d.Config())...)
	}
	var defs []flagDef
	index := map[string]int{}
	for _, d := range all {
		if i, ok := index[d.name]; ok {
			defs[i].paths = append(defs[i].paths, d.paths...)
			defs[i].presets = append(defs[i].presets, d.presets...)
			continue
		}
		index[d.name] = len(defs)
		defs = append(defs, d)
	}
	return defs
}

func flagsOf(owner string, config any) []flagDef {
	var defs []flagDef
	eachKey(reflect.ValueOf(config).Elem(), owner+".", func(path string, f field, x reflect.Value) {
		if f.flag == "" {
			return
		}
		defs = append(defs, flagDef{
			name: f.flag, paths: []string{path}, doc: f.doc, kind: kindName(x.Type()),
			presets: []string{presetText(x)}, isBool: x.Kind() == reflect.Bool,
		})
	})
	return defs
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Uint64:
		return "int"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list"
	case reflect.Map:
		return "map"
	default:
		return "text"
	}
}

func presetText(v reflect.Value) string {
	if v.Kind() == reflect.Slice {
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = fmt.Sprint(v.Index(i).Interface())
		}
		return strings.Join(parts, ",")
	}
	if v.Kind() == reflect.Map {
		return ""
	}
	return fmt.Sprint(v.Interface())
}

// overrideFlag is a pflag.Value that only remembers that it was given, in order
// with the others.
type overrideFlag struct {
	def     flagDef
	value   string // instead of what is given, for --no-NAME
	written string // how the user wrote it
	given   *[]Override
}

func (f *overrideFlag) String() string { return "" }
func (f *overrideFlag) Type() string {
	if f.def.isBool {
		return "bool"
	}
	return f.def.kind
}

// Set is called by pflag when the flag is met.
func (f *overrideFlag) Set(text string) error {
	if f.value != "" {
		if text != "true" {
			return fmt.Errorf("takes no value")
		}
		text = f.value
	}
	*f.given = append(*f.given, Override{Path: strings.Join(f.def.paths, "|"), Value: text, Flag: f.written})
	return nil
}

// AddFlags adds a flag for every key that declares one, --NAME and --no-NAME for
// switches, and returns where the overrides that they stand for are gathered.
func AddFlags(fs *pflag.FlagSet) *[]Override {
	given := &[]Override{}
	for _, def := range flagDefs() {
		f := fs.VarPF(&overrideFlag{def: def, written: "--" + def.name, given: given}, def.name, "", def.usage())
		if def.isBool {
			f.NoOptDefVal = "true"
			no := fs.VarPF(&overrideFlag{def: def, value: "false", written: "--no-" + def.name, given: given}, "no-"+def.name, "", "not --"+def.name)
			no.NoOptDefVal = "true"
		}
	}
	return given
}
