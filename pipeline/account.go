package pipeline

import (
	"bytes"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// tally is one stage's part of the account. Only the stage's goroutine writes it, and
// it is read after that goroutine has ended.
type tally struct {
	elements      int
	busy, waiting time.Duration
}

func (t *tally) add(busy, waiting time.Duration) {
	t.busy += busy
	t.waiting += waiting
}

// writeAccount writes where the time went. The stage with the largest share of busy
// time is the bottleneck. A fused stage is shown as part of the stage that did its
// work.
func writeAccount(w io.Writer, nodes []*node) {
	total := time.Duration(0)
	for _, n := range nodes {
		total += n.tally.busy
	}
	var table bytes.Buffer // for one write: a tabwriter writes every cell by itself, and other ranks write to the same file
	tw := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "stage\telements\tbusy\twaiting\tof all work\t")
	for _, n := range nodes {
		if n.fusedInto != nil {
			fmt.Fprintf(tw, "%s\t\t\t\tin %s\t\n", n.name, n.fusedInto.name)
			continue
		}
		share := 0.0
		if total > 0 {
			share = 100 * n.tally.busy.Seconds() / total.Seconds()
		}
		fmt.Fprintf(tw, "%s\t%d\t%.2f s\t%.2f s\t%.0f%%\t\n", n.name, n.tally.elements, n.tally.busy.Seconds(), n.tally.waiting.Seconds(), share)
	}
	tw.Flush()
	_, _ = table.WriteTo(w)
}
