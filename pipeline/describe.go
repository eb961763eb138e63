package pipeline

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"
)

// List writes one line a stage.
func List(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, d := range Declarations() {
		first, _, _ := strings.Cut(d.Doc, "\n")
		fmt.Fprintf(tw, "%s\t%s\n", d.Name, first)
	}
	tw.Flush()
}

// Describe writes what a stage does, how it connects, and its keys.
func Describe(w io.Writer, d Declaration) {
	fmt.Fprintf(w, "%s\n\n%s\n\n", d.Name, d.Doc)
	if d.Link.Needs != 0 {
		fmt.Fprintf(w, "needs  %s\n", d.Link.Needs)
	}
	if d.Link.Adds != 0 {
		fmt.Fprintf(w, "gives  %s\n", d.Link.Adds)
	}
	config := reflect.ValueOf(d.Config()).Elem()
	if config.NumField() == 0 {
		return
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "key\ttype\tdefault\tflag\t")
	for _, f := range fieldsOf(config.Type()) {
		flag := ""
		if f.flag != "" {
			flag = "--" + f.flag
		}
		x := config.Field(f.index)
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", f.key, kindName(x.Type()), presetText(x), flag, f.doc)
	}
	tw.Flush()
}
