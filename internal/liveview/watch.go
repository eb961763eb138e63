package liveview

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/terminal"
)

// Watch shows runs that were started elsewhere, from their folders alone.
type Watch struct {
	mu   sync.Mutex
	runs []*watched
}

// watched is a run's folder, and what it said last.
type watched struct {
	run   *runview.Run
	state *state
	err   error // of reading the folder
}

// NewWatch opens the folders of runs and reads them. The caller closes it.
func NewWatch(dirs []string) (*Watch, error) {
	w := &Watch{}
	for _, dir := range dirs {
		run, err := runview.Open(dir)
		if err != nil {
			w.Close()
			return nil, err
		}
		w.runs = append(w.runs, &watched{run: run})
	}
	w.refresh()
	return w, nil
}

// Close closes the folders.
func (w *Watch) Close() {
	for _, r := range w.runs {
		r.run.Close()
	}
}

// refresh reads what is new, and reports whether all runs are over: one that was stopped may
// be resumed.
func (w *Watch) refresh() (over bool) {
	over = true
	for _, r := range w.runs {
		_, err := r.run.Refresh()
		s := stateOf(r.run)
		w.mu.Lock()
		r.err, r.state = err, s
		w.mu.Unlock()
		trains := r.run.State.Total > 0
		over = over && err == nil && !r.run.State.Running() && (r.run.State.Ended() || !trains)
	}
	return over
}

// Snapshot writes what the folders say, in plain lines.
func (w *Watch) Snapshot(to io.Writer) {
	for _, line := range w.lines(newLook(), snapshotWidth, 0) {
		fmt.Fprintln(to, strings.TrimRight(ansi.Strip(line), " "))
	}
}

// snapshotWidth is the width of plain lines.
const snapshotWidth = 100

// Show shows the folders on a terminal until all runs have ended or ctx ends. What it showed
// last stays.
func (w *Watch) Show(ctx context.Context, file *os.File) {
	screen := start(file, w.lines)
	for !w.refresh() && ctx.Err() == nil {
		screen.change()
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
	}
	screen.end()
	look, width := newLook(), max(minWidth, screen.width)
	height := max(screen.height-2, len(w.lines(look, width, 0))) // no run in one line alone
	for _, line := range w.lines(look, width, height) {
		fmt.Fprintln(file, screen.paint(line))
	}
}

// Columns of runs beside each other.
const (
	runWidth = 64 // at least
	runGap   = 3
)

// lines returns the runs, beside each other where there is room, with charts where there is
// more, and a line each if there are too many for the height; 0: any height, without charts.
func (w *Watch) lines(look look, width, height int) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	columns := max(1, min(len(w.runs), (width+runGap)/(runWidth+runGap)))
	lines := w.blocks(look, width, columns, 0, now)
	if height > 0 && len(lines) > height {
		lines = lines[:0]
		for _, r := range w.runs {
			lines = append(lines, r.line(look, width, now))
		}
		return lines
	}
	rows := (len(w.runs) + columns - 1) / columns
	if charts := min(chartHeight, (height-len(lines))/rows); charts >= chartLeast {
		return w.blocks(look, width, columns, charts, now)
	}
	return lines
}

// blocks returns the runs in so many columns, each with charts of so many lines.
func (w *Watch) blocks(look look, width, columns, charts int, now time.Time) []string {
	each := (width - (columns-1)*runGap) / columns
	var blocks []string
	for _, r := range w.runs {
		lines := append(r.lines(look, each, now), r.state.charts(look, each, charts)...)
		blocks = append(blocks, strings.Join(lines, "\n"))
	}
	var rows []string
	for len(blocks) > 0 {
		n := min(columns, len(blocks))
		var row []string
		for i, block := range blocks[:n] {
			if i > 0 {
				row = append(row, strings.Repeat(" ", runGap))
			}
			row = append(row, lipgloss.NewStyle().Width(each).Render(block))
		}
		rows = append(rows, lipgloss.JoinHorizontal(lipgloss.Top, row...))
		blocks = blocks[n:]
	}
	return strings.Split(strings.Join(rows, "\n\n"), "\n")
}

// lines returns a run's block.
func (r *watched) lines(look look, width int, now time.Time) []string {
	lines := r.state.lines(look, width, now)
	if r.err != nil {
		lines = append(lines, strings.Split(look.wrap(terminal.Line(r.err.Error()), width), "\n")...)
	}
	return lines
}

// line returns a run in one line.
func (r *watched) line(look look, width int, now time.Time) string {
	s := r.state
	items := []string{look.title(fmt.Sprintf("%-24s", s.title(24))), fmt.Sprintf("%-8s", strings.Split(s.work.Name, ",")[0])}
	if s.work.Total > 0 {
		items = append(items, look.bar(s.share(), 20)+fmt.Sprintf(" %3.0f%%", 100*s.share()))
	}
	if len(s.loss.all) > 0 {
		items = append(items, fmt.Sprintf("loss %.4g", s.step.Loss))
	}
	if len(s.errors.all) > 0 {
		items = append(items, fmt.Sprintf("%.3f of bilinear's", s.errors.last()))
	}
	return ansi.Truncate(look.fit(width, append(items, look.faint(s.ago(now)))...), width, "")
}

// stateOf returns what a run's folder says.
func stateOf(r *runview.Run) *state {
	s := &state{name: terminal.Line(filepath.Clean(r.Dir)), folder: true, stepAt: r.State.Updated}
	doing := "stopped"
	switch {
	case r.State.Finished():
		doing = "finished"
	case r.State.Total == 0 && !r.State.Running():
		doing = "not running"
	case r.State.Running():
		doing = "running, " + terminal.Line(r.State.Holder)
	case r.State.Ended():
		doing = "ended"
	}
	s.work = display.Work{Name: doing, Unit: "steps", Done: r.State.Step, Total: r.State.Total}
	s.saved, _ = r.Checkpoint() // that it cannot be read is not for now
	s.verdict, _ = r.Verdict()  // nor this
	s.verdict = terminal.Line(s.verdict)
	loss := r.Metrics.Of("train/loss")
	if loss == nil {
		return s
	}
	for _, v := range loss.Values {
		s.loss.add(v)
	}
	s.loss.from, s.loss.to = loss.Steps[0], loss.Steps[len(loss.Steps)-1]
	errorsOf(r, &s.errors)
	s.step = display.Step{N: r.State.Step, Stop: r.State.Total, Total: r.State.Total, Loss: s.loss.last()}
	s.step.LR, _ = r.Metrics.Of("train/lr").Last()
	s.step.GradNorm, _ = r.Metrics.Of("train/grad_norm").Last()
	s.step.FramesPerSecond, _ = r.Timing.Of("frames_per_s").Last()
	s.addTiming(&r.Timing, r.State.Running())
	if r.About != nil && r.About.Batch > 0 {
		s.step.Rate = s.step.FramesPerSecond / float64(r.About.Batch*max(1, r.Spec.Number("train.accumulate")))
	}
	if s.step.Rate > 0 && r.State.Running() {
		evaluation, _ := r.Timing.Of("eval_s").Last()
		s.step.Left = training(s.step.Stop-s.step.N, s.step.Rate, evaluation, r.Spec.Number("eval.log_every"))
	}
	return s
}

// addTiming adds what the log says of the stages and, of a run that goes on, of its memory.
func (s *state) addTiming(log *runview.Curves, running bool) {
	for _, name := range log.Names {
		if stage, ok := strings.CutPrefix(name, runview.BusyPrefix); ok {
			share, _ := log.Of(name).Last()
			s.stages = append(s.stages, display.Stage{Name: terminal.Line(stage), Busy: time.Duration(share * float64(time.Second))})
		}
	}
	if running {
		resident, _ := log.Of(runview.MemoryName).Last()
		limit, _ := log.Of(runview.MemoryLimitName).Last()
		s.resident, s.limit = int64(1e9*resident), int64(1e9*limit)
	}
}

// training returns how long so many steps take at a rate in steps a second, with an
// evaluation of so many seconds every so many of them.
func training(steps int, rate, evaluation float64, every int) time.Duration {
	seconds := float64(steps)/rate + evaluation*float64(steps/max(1, every))
	return time.Duration(seconds * float64(time.Second))
}

// errorsOf adds the model's errors over the bilinear input's at each evaluation, means over
// the fields.
func errorsOf(r *runview.Run, to *series) {
	var sums []float64
	fields := 0.0
	for _, name := range r.Metrics.Names {
		field, found := strings.CutPrefix(name, "val/mse_lo/")
		if !found {
			continue
		}
		lo, model := r.Metrics.Of(name), r.Metrics.Of("val/mse_ema/"+field)
		if model == nil {
			model = r.Metrics.Of("val/mse/" + field)
		}
		if model == nil || len(lo.Values) != len(model.Values) || sums != nil && len(sums) != len(lo.Values) {
			return // some were not finite
		}
		if sums == nil {
			sums = make([]float64, len(lo.Values))
			to.from, to.to = lo.Steps[0], lo.Steps[len(lo.Steps)-1]
		}
		for i, v := range model.Values {
			sums[i] += v / lo.Values[i]
		}
		fields++
	}
	for _, sum := range sums {
		to.add(sum / fields)
	}
}
