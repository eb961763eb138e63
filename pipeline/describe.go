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
	describeLink(w, d.Link)
	config := reflect.ValueOf(d.Config()).Elem()
	if config.NumField() == 0 {
		return
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "key\ttype\tdefault\tflag\t")
	eachKey(config, "", func(key string, f field, x reflect.Value) {
		flag := ""
		if f.flag != "" {
			flag = "--" + f.flag
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", key, kindName(x.Type()), presetText(x), flag, f.doc)
	})
	tw.Flush()
}

func describeLink(w io.Writer, l Link) {
	if l.Source {
		fmt.Fprintln(w, "starts a flow")
	}
	if l.Store {
		fmt.Fprintln(w, "keeps what reaches it, and is from then on the flow's source")
	}
	for _, line := range []struct {
		word string
		Traits
	}{{"needs", l.Needs}, {"gives", l.Adds}, {"drops", l.Drops}} {
		if line.Traits != 0 {
			fmt.Fprintf(w, "%s  %s\n", line.word, line.Traits)
		}
	}
}
