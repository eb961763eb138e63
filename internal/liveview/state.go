package liveview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/terminal"
)

// state is what a run has told so far.
type state struct {
	name     string // of the run
	began    time.Time
	stopping string // why the run ends early; empty: it does not
	folder   bool   // the run is seen through its folder
	saved    int    // step of the checkpoint; 0: none

	work     display.Work
	workAt   time.Time // when the work began
	part     display.Work
	partAt   time.Time
	step     display.Step // zero: the run does not train
	stepAt   time.Time
	loss     series
	errors   series // of bilinear's
	verdict  string // of the last evaluation
	stages   []display.Stage
	resident int64 // bytes
	limit    int64 // bytes
}

// doWork begins work, or moves it on.
func (s *state) doWork(w display.Work, now time.Time) {
	w.Name = terminal.Line(w.Name)
	if w.Name != s.work.Name {
		s.workAt = now
	}
	s.work = w
}

// doPart begins a part of the work, or moves it on.
func (s *state) doPart(w display.Work, now time.Time) {
	w.Name = terminal.Line(w.Name)
	if w.Name != s.part.Name {
		s.partAt = now
	}
	s.part = w
}

// took records a training step.
func (s *state) took(step display.Step, now time.Time) {
	s.step, s.stepAt = step, now
	s.work.Done, s.work.Total = step.N, step.Total
	s.loss.add(step.Last)
}

// evaluated records an evaluation.
func (s *state) evaluated(e display.Evaluation) {
	if e.Error > 0 {
		s.errors.add(e.Error)
	}
	s.verdict = e.Verdict
}

// left returns the time that the work will still take, if it is known.
func (s *state) left(now time.Time) (time.Duration, bool) {
	if s.step.N > 0 {
		return max(0, s.step.Left-now.Sub(s.stepAt)), true
	}
	return remaining(s.work, now.Sub(s.workAt))
}

// remaining returns the time that the rest of some work takes.
func remaining(w display.Work, took time.Duration) (time.Duration, bool) {
	if w.Done == 0 || w.Done > w.Total {
		return 0, false
	}
	return time.Duration(float64(took) * float64(w.Total-w.Done) / float64(w.Done)), true
}

// lines returns the frame, each line at most width columns wide.
func (s *state) lines(look look, width int, now time.Time) (lines []string) {
	add := func(line string) {
		if line != "" {
			lines = append(lines, look.cut(line, width))
		}
	}
	what, when := s.work.Name, spell(now.Sub(s.workAt))+" so far"
	if s.stopping != "" {
		what = s.stopping
	}
	if s.folder {
		when = s.ago(now)
	}
	add(look.ends(look.title(s.title(width/2))+"  "+what, look.faint(when), width))
	add(s.bar(look, width, now))
	if s.part.Name != "" {
		add(look.ends("  "+s.part.Name+counted(s.part), look.faint(spell(now.Sub(s.partAt))), width))
	}
	if s.step.N > 0 {
		add(s.lossLine(look, width))
		add(s.errorLine(look, width))
	}
	add(s.speedLine(look, width, now))
	for line := range strings.SplitSeq(look.wrap(s.verdict, width), "\n") {
		add(line)
	}
	return lines
}

// charts returns an empty line and the curves of loss and validation error; nothing, where
// there is no room or no curve.
func (s *state) charts(look look, width, height int) []string {
	const gap = 3
	loss, errors := len(s.loss.all) > 1, len(s.errors.all) > 1
	each := width
	if loss && errors {
		each = (width - gap) / 2
	}
	if height < chartLeast || each < 3*chartLabels || !loss && !errors {
		return nil
	}
	var charts []string
	if loss {
		charts = append(charts, strings.Join(look.chart("loss", &s.loss, each, height-1), "\n"))
	}
	if errors {
		charts = append(charts, strings.Join(look.chart("val error, of bilinear's", &s.errors, each, height-1), "\n"))
	}
	if loss && errors {
		charts = slices.Insert(charts, 1, strings.Repeat(" ", gap))
	}
	return append([]string{""}, strings.Split(lipgloss.JoinHorizontal(lipgloss.Top, charts...), "\n")...)
}

// ending returns the lines that stay in the end.
func (s *state) ending(look look, width int, account []display.Stage, now time.Time) (lines []string) {
	if s.step.N > 0 {
		lines = append(lines, "", s.lossLine(look, width))
	}
	if line := s.errorLine(look, width); line != "" {
		lines = append(lines, line)
	}
	if s.verdict != "" {
		for i, line := range strings.Split(look.wrap(s.verdict, width-heads), "\n") {
			lines = append(lines, look.title(head([]string{"verdict", ""}[min(i, 1)]))+line)
		}
	}
	took := spell(now.Sub(s.began))
	if text := shares(account, 3); text != "" {
		took += ": " + text
	}
	return append(lines, look.title(head("time"))+took)
}

// bar returns the line of the work's progress.
func (s *state) bar(look look, width int, now time.Time) string {
	if s.work.Total == 0 {
		return ""
	}
	text := fmt.Sprintf("  %3.0f%%  %s %d/%d", 100*s.share(), strings.TrimSuffix(s.work.Unit, "s"), s.work.Done, s.work.Total)
	if left, ok := s.left(now); ok && left > 0 {
		text += "  " + spell(left) + " left"
	}
	return look.bar(s.share(), min(widestBar, width-look.width(text))) + text
}

// widestBar is the most columns of a bar.
const widestBar = 72

// heads are the widths of the first column.
const heads = 10

func head(text string) string { return fmt.Sprintf("%-*s", heads, text) }

// spark returns the width of a sparkline.
func spark(width int) int { return max(8, min(60, width-52)) }

func (s *state) lossLine(look look, width int) string {
	return look.fit(width, look.faint(head("loss"))+look.spark(s.loss.values(spark(width)))+fmt.Sprintf("  %.4g", s.step.Loss),
		fmt.Sprintf("lr %.3g", s.step.LR), fmt.Sprintf("grad norm %.3g", s.step.GradNorm))
}

func (s *state) errorLine(look look, width int) string {
	if len(s.errors.all) == 0 {
		return ""
	}
	return look.fit(width, look.faint(head("val error"))+look.spark(s.errors.values(spark(width)))+fmt.Sprintf("  %.3f of bilinear's error", s.errors.last()))
}

func (s *state) speedLine(look look, width int, now time.Time) string {
	var items []string
	if s.step.N > 0 {
		if s.step.Rate > 0 {
			items = append(items, display.Rate(s.step.Rate))
		}
		items = append(items, fmt.Sprintf("%.3g frames/s", s.step.FramesPerSecond))
	} else if s.work.Done > 0 && now.After(s.workAt) {
		items = append(items, rate(float64(s.work.Done)/now.Sub(s.workAt).Seconds(), s.work.Unit))
	}
	if slowest := shares(s.stages, 1); slowest != "" && items != nil {
		items = append(items, "slowest "+slowest)
	}
	if s.saved > 0 && items != nil {
		items = append(items, fmt.Sprintf("saved step %d", s.saved))
	}
	memory := fmt.Sprintf("%.1f of %.0f GB", float64(s.resident)/1e9, float64(s.limit)/1e9)
	switch {
	case items == nil && s.resident == 0:
		return ""
	case items == nil:
		return look.faint(head("memory")) + memory
	case s.resident > 0:
		items = append(items, "memory "+memory)
	}
	items[0] = look.faint(head("speed")) + items[0]
	return look.fit(width, items...)
}

// shares returns the stages with the largest shares of the time, at most so many.
func shares(stages []display.Stage, most int) string {
	part := display.Shares(stages)
	var order []int
	for i := range stages {
		if part[i] >= 0.005 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(part[b], part[a]) })
	var text []string
	for _, i := range order[:min(most, len(order))] {
		text = append(text, fmt.Sprintf("%s %.0f%%", stages[i].Name, 100*part[i]))
	}
	return strings.Join(text, ", ")
}

// rate returns a rate in units a second or seconds a unit, whichever reads better.
func rate(perSecond float64, units string) string {
	if perSecond < 1 {
		return fmt.Sprintf("%.3g s/%s", 1/perSecond, strings.TrimSuffix(units, "s"))
	}
	return fmt.Sprintf("%.3g %s/s", perSecond, units)
}

// counted returns how much of some work is done.
func counted(w display.Work) string {
	if w.Total == 0 {
		return ""
	}
	return fmt.Sprintf(": %s %d/%d", strings.TrimSuffix(w.Unit, "s"), w.Done, w.Total)
}

// spell returns a time in a few characters: 7s, 3m02s, 5h07m.
func spell(d time.Duration) string {
	switch s := int(d.Round(time.Second).Seconds()); {
	case s < 60:
		return fmt.Sprintf("%ds", max(0, s))
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	default:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
}

// share returns the part of the work that is done.
func (s *state) share() float64 { return float64(s.work.Done) / float64(max(1, s.work.Total)) }

// title returns the run's name, or the end of its folder's.
func (s *state) title(width int) string {
	if over := ansi.StringWidth(s.name) - width; s.folder && over > 0 {
		return ansi.TruncateLeft(s.name, over+1, "…")
	}
	return ansi.Truncate(s.name, width, "…")
}

// ago returns how long ago a folder was written to.
func (s *state) ago(now time.Time) string {
	if s.stepAt.IsZero() {
		return ""
	}
	return spell(now.Sub(s.stepAt)) + " ago"
}
