// Package spec is the language that specs are written in. It knows no stage, no
// flow of frames and no run: a caller gives it structs to fill.
//
//	YAML --limits, tree--> Value --override--> Value --form--> run, flow: [(name, keys), ...]
//	                                                                |
//	                            struct with tags <--decode, rules---+---> Diagnostics
//	                                   |
//	                                   +--> describe, flags, schema.json, YAML again
//
// The form of a spec is `version: 1`, a section `run` of keys, and a list `flow` of
// items, each a name with keys (form.go). The keys are the fields of structs, by
// their tags (fields.go):
//
//	yaml:"lr" doc:"learning rate"     the key, and a phrase for a reader
//	flag:"lr"                         a flag of fmsr run
//	oneof:"zeros|periodic"            the values that a text, or each item of a list, can have
//	min:"0" max:"1"                   bounds of a number, or of each item of a list
//	above:"0" below:"1"               the same, with the bounds themselves excluded
//	path:"file"                       a path, relative to the spec's folder; ~ and ${NAME} are replaced
//	resume:"free", resume:"bits"      a resumed run may change it; "bits": with other round-off
//
// Numbers are decimal: 010 is ten, and 0x10, 0o17, 0b11 and 1_000 are text. A name is
// taken as it is written: 007, 1e3.
//
// decode.go checks the type of a value, rules.go its tags. A check that spans keys is
// the config's own Validate, which package pipeline calls.
//
// An embedded struct without a yaml tag has its keys among those of the struct
// around it. A problem is a Diagnostic with a place: a line and column of the file,
// or the flag that brought the value (diag.go).
package spec
