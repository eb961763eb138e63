package display

import (
	"bytes"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"fmsr.example/fmsr/internal/words"
)

// Lines shows a run in plain lines.
type Lines struct {
	io.Writer
	Verbose bool // with the account of where the time went
}

// Work shows nothing.
func (Lines) Work(Work) {}

// Part shows nothing.
func (Lines) Part(Work) {}

// Flow shows nothing.
func (Lines) Flow(func() []Stage) {}

// Piece writes a line.
func (l Lines) Piece(w Work) { fmt.Fprintf(l, "%s: %d of %d\n", w.Name, w.Done, w.Total) }

// Step writes a line where one is due.
func (l Lines) Step(s Step) {
	if s.Due {
		fmt.Fprintf(l, "step %d/%d  loss %.4g  grad norm %.3g  lr %.3g  %.3g frames/s  %s  eta %s\n",
			s.N, s.Total, s.Loss, s.GradNorm, s.LR, s.FramesPerSecond, Rate(s.Rate), s.Left.Round(time.Second))
	}
}

// Rate returns a rate in steps/s or s/step, whichever reads better.
func Rate(perSecond float64) string {
	if perSecond < 1 {
		return fmt.Sprintf("%.2f s/step", 1/perSecond)
	}
	return fmt.Sprintf("%.1f steps/s", perSecond)
}

// Evaluated writes the headline.
func (l Lines) Evaluated(e Evaluation) {
	text := fmt.Sprintf("eval at step %d, %s (%.1f s):", e.Step, words.Count(e.Frames, "frame"), e.Seconds)
	for _, f := range e.Headline {
		text += fmt.Sprintf("  %s %.4g", f.Name, f.Value)
	}
	fmt.Fprintln(l, text)
}

// Account writes a table, if Verbose is set. The stage with the largest share of busy time is the
// bottleneck. It is one write: other ranks write to the same file.
func (l Lines) Account(stages []Stage) {
	if !l.Verbose {
		return
	}
	var table bytes.Buffer
	tw := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "stage\telements\tbusy\twaiting\tof all work\t")
	for i, share := range Shares(stages) {
		s := stages[i]
		if s.In != "" {
			fmt.Fprintf(tw, "%s\t\t\t\tin %s\t\n", s.Name, s.In)
			continue
		}
		fmt.Fprintf(tw, "%s\t%d\t%.2f s\t%.2f s\t%.0f%%\t\n", s.Name, s.Elements, s.Busy.Seconds(), s.Waiting.Seconds(), 100*share)
	}
	tw.Flush()
	_, _ = table.WriteTo(l)
}

// Shares returns each stage's part of all busy time.
func Shares(stages []Stage) []float64 {
	total := time.Duration(0)
	for _, s := range stages {
		total += s.Busy
	}
	shares := make([]float64, len(stages))
	for i, s := range stages {
		if total > 0 {
			shares[i] = s.Busy.Seconds() / total.Seconds()
		}
	}
	return shares
}
