package spec

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/pflag"
)

// flagDef is a flag for a key, or for the same key of several owners.
type flagDef struct {
	name, kind string
	paths      []string // of each key: "train.lr"
	isBool     bool
}

// flagDefs lists the flags that the fields of the owners' configs ask for. A flag
// of several owners stands for the key of each.
func flagDefs(owners []Item) []flagDef {
	var defs []flagDef
	index := map[string]int{}
	for _, owner := range owners {
		EachKey(owner.Config, func(key string, f Field, x reflect.Value) {
			if f.Flag == "" {
				return
			}
			i, ok := index[f.Flag]
			if !ok {
				i = len(defs)
				index[f.Flag] = i
				defs = append(defs, flagDef{name: f.Flag, kind: KindName(x.Type()), isBool: x.Kind() == reflect.Bool})
			}
			defs[i].paths = append(defs[i].paths, owner.Name+"."+key)
		})
	}
	return defs
}

// Text returns a value as a flag would give it.
func Text(v reflect.Value) string {
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

// overrideFlag is a pflag.Value that only adds to the list of flags that were given.
type overrideFlag struct {
	def     flagDef
	value   string // of --no-NAME, which takes none; empty: the flag's own
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

// Set is called by pflag when the flag is given.
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

// AddFlags adds a flag for every key of the owners that declares one, --NAME and
// --no-NAME for switches. It returns a list, to which each flag that the user gives
// adds an override. The flags are hidden: FlagEntries describes those of one owner.
func AddFlags(fs *pflag.FlagSet, owners []Item) *[]Override {
	given := &[]Override{}
	for _, def := range flagDefs(owners) {
		f := fs.VarPF(&overrideFlag{def: def, written: "--" + def.name, given: given}, def.name, "", strings.Join(def.paths, ", "))
		f.Hidden = true
		if def.isBool {
			f.NoOptDefVal = "true"
			no := fs.VarPF(&overrideFlag{def: def, value: "false", written: "--no-" + def.name, given: given}, "no-"+def.name, "", "not --"+def.name)
			no.NoOptDefVal, no.Hidden = "true", true
		}
	}
	return given
}
