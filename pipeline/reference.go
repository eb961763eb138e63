package pipeline

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"fmsr.example/fmsr/pipeline/spec"
)

// Reference returns docs/stages.md: what every stage does, how it connects, and its keys,
// as the stages declare them. Sources come first, then the other stages by name.
func Reference() []byte {
	var b bytes.Buffer
	b.WriteString(`# Stages

<!-- Made by: bin/fmsr describe --markdown > docs/stages.md. A test says when it is out of date. -->

A spec's flow is a list of stages. ` + "`fmsr describe STAGE`" + ` prints a section of this page, and ` + "`--set STAGE.KEY=VALUE`" + `
sets any key for one run. Keys with a flag can be set by the flag, too. In the pictures, time goes to the right: what enters a
stage is above it, what leaves it is below.

`)
	run := defaultRun()
	b.WriteString("| | |\n|---|---|\n| [`run`](#run) | The keys of the run itself |\n")
	ordered := sourcesFirst()
	for _, d := range ordered {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", d.Name, d.Name, escape(strings.TrimSuffix(d.title(), ",")))
	}
	b.WriteString("\n## run\n\nThe keys of the section `run`, which concern no single stage.\n")
	referKeys(&b, &run)
	for _, d := range ordered {
		refer(&b, d)
	}
	return b.Bytes()
}

// sourcesFirst returns all stages: those that start a flow, then the others.
func sourcesFirst() []Declared {
	var first, rest []Declared
	for _, d := range Declarations() {
		if d.Source {
			first = append(first, d)
		} else {
			rest = append(rest, d)
		}
	}
	return append(first, rest...)
}

// refer writes a stage's section. The lines of its picture start with a tab, which is
// Markdown's mark of code.
func refer(b *bytes.Buffer, d Declared) {
	fmt.Fprintf(b, "\n## %s\n\n", d.Name)
	for _, line := range strings.Split(d.Doc, "\n") {
		if !strings.HasPrefix(line, "\t") {
			line = escape(line)
		}
		fmt.Fprintln(b, line)
	}
	var link bytes.Buffer
	describeLink(&link, d)
	if link.Len() > 0 {
		b.WriteString("\n")
	}
	for _, line := range strings.Split(strings.TrimSpace(link.String()), "\n") {
		if word, what, ok := strings.Cut(line, "  "); ok {
			line = "**" + word + "** " + what
		}
		if line != "" {
			fmt.Fprintf(b, "- %s\n", line)
		}
	}
	referKeys(b, d.Config())
}

// referKeys writes a table of a config's keys, if it has any.
func referKeys(b *bytes.Buffer, config any) {
	if reflect.TypeOf(config).Elem().NumField() == 0 {
		return
	}
	b.WriteString("\n| key | type | default | flag | |\n|---|---|---|---|---|\n")
	spec.EachKey(config, func(key string, f spec.Field, x reflect.Value) {
		flag := ""
		if f.Flag != "" {
			flag = "`--" + f.Flag + "`"
		}
		value := spec.Text(x)
		if value != "" {
			value = "`" + value + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", key, spec.KindName(x.Type()), value, flag, escape(f.Doc()))
	})
}

// escape keeps Markdown from reading a text's stars, bars and angle brackets as its own.
func escape(text string) string {
	return strings.NewReplacer(`*`, `\*`, `|`, `\|`, `<`, `\<`).Replace(text)
}
