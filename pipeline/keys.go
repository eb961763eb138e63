package pipeline

import (
	"reflect"

	"fmsr.example/fmsr/pipeline/spec"
)

// Key is a key of the run section or of a stage, for tools that offer names.
type Key struct {
	Path   string // as --set takes it: "train.lr"
	Flag   string // without dashes; empty: there is none
	Doc    string
	Values []string // that it can have; nil: any
	IsPath bool
	IsBool bool
}

// Keys returns every key, the run section's first.
func Keys() (keys []Key) {
	run := defaultRun()
	for _, owner := range append([]spec.Item{{Name: "run", Config: &run}}, stageItems()...) {
		spec.EachKey(owner.Config, func(key string, f spec.Field, x reflect.Value) {
			k := Key{Path: owner.Name + "." + key, Flag: f.Flag, Doc: f.Doc(), Values: f.Values(), IsPath: f.IsPath(), IsBool: x.Kind() == reflect.Bool}
			if k.IsBool {
				k.Values = []string{"true", "false"}
			}
			keys = append(keys, k)
		})
	}
	return keys
}
