package page

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/testkit/somerun"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func opened(t *testing.T, dir string) *runview.Run {
	t.Helper()
	r, err := runview.Open(dir)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// some writes a run and opens it.
func some(t *testing.T, c somerun.Config) *runview.Run {
	t.Helper()
	dir := t.TempDir()
	must(t, somerun.Write(dir, c))
	return opened(t, dir)
}

// TestReport: a report of eight fields, as large as they come, is under 5 MB, and needs nothing.
func TestReport(t *testing.T) {
	r := some(t, somerun.Config{Name: "eight", Side: 256, Fields: somerun.All, Frames: 1, Lines: 40, Evaluations: 1})
	html, err := Report(r)
	must(t, err)
	text := string(html)
	if len(html) > 5e6 {
		t.Errorf("%d bytes", len(html))
	}
	verdict, err := r.Verdict()
	must(t, err)
	for _, want := range []string{
		"<strong>" + regexp.MustCompile(`[0-9.]+`).FindAllString(verdict, -1)[1] + "</strong>", "ended at step 400", "Judged by 1 of 8 validation frames of 256 x 256 cells.",
		">jz</h3>", "MSE over the variance of the truth", "a processor", "core-hours", "<th scope=\"row\">train.lr</th>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if n := strings.Count(text, "data:image/png"); n != 8*4 {
		t.Errorf("%d tiles", n)
	}
	for _, address := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(address[1], "data:") && !strings.HasPrefix(address[1], "#") {
			t.Errorf("it asks for %s", address[1])
		}
	}
}

// TestNamesAreText: whatever names files and specs have, they are text on the page.
func TestNamesAreText(t *testing.T) {
	evil := `</script><img src=x onerror=alert(1)>'"`
	r := some(t, somerun.Config{Name: evil, Side: 16, Fields: []string{evil[10:20], "b"}, Frames: 1, Lines: 4, Evaluations: 2, LR: 1})
	must(t, os.WriteFile(filepath.Join(r.Dir, runview.SpecName), []byte("run:\n  name: \""+strings.ReplaceAll(evil, `"`, `\"`)+"\"\n  '<b>': '<i>'\nflow:\n  - train:\n      total_steps: 40\n"), 0o666))
	f, err := os.OpenFile(filepath.Join(r.Dir, runview.MetricsName), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(`{"step":40,"</script><b>":1}` + "\n" + `{"step":50,"</script><b>":1}` + "\n")
	must(t, err)
	must(t, f.Close())
	html, err := Report(r)
	must(t, err)
	for _, bad := range []string{"<img src=x", "</script><b", "<i>", "<b>\"", "onerror=alert(1)>"} {
		if strings.Contains(string(html), bad) {
			t.Errorf("%s is on the page as it is", bad)
		}
	}
	if !strings.Contains(string(html), "&lt;img src=x onerror=alert(1)&gt;") {
		t.Error("the name is not there")
	}
}

// TestSeveral: runs over each other have a curve each, and the keys that differ.
func TestSeveral(t *testing.T) {
	a := some(t, somerun.Config{Name: "a", Side: 16, Fields: []string{"Bx"}, Frames: 1, Lines: 8, Evaluations: 2, LR: 1})
	b := some(t, somerun.Config{Name: "a", Side: 16, Fields: []string{"Bx", "By"}, Frames: 1, Lines: 6, Evaluations: 1, LR: 2})
	for _, r := range []*runview.Run{a, b} {
		_, err := r.Refresh()
		must(t, err)
	}
	v, err := Build([]*runview.Run{a, b}, nil, func(int) string { return "" }, Inline)
	must(t, err)
	var differ []string
	for _, d := range v.Differences {
		differ = append(differ, d.Path)
	}
	if d := cmp.Diff([]string{"channel_select.channels", "train.lr", "train.total_steps"}, differ); d != "" {
		t.Error(d)
	}
	if v.Subjects[0].Name != "a ("+a.Dir+")" || len(v.Samples) != 2 || len(v.Spectra) != 2 || len(v.Tables) != 5 {
		t.Errorf("%s, %d samples, %d spectra, %d tables", v.Subjects[0].Name, len(v.Samples), len(v.Spectra), len(v.Tables))
	}
	if c := v.Data.Charts[v.Curves[0].Chart]; c.Title != "train/loss" || len(c.Series) != 2 || len(c.Series[1].Y) != 6 {
		t.Errorf("%s: %d curves", c.Title, len(c.Series))
	}
	power, ratio := v.Data.Charts[v.Spectra[0].Plots[0].Chart], v.Data.Charts[v.Spectra[0].Plots[1].Chart]
	if len(power.Series) != 3 || len(ratio.Series) != 2 || power.Shade[0] != 4 || power.Shade[1] != 8 {
		t.Errorf("%d spectra, %d ratios, shade %v", len(power.Series), len(ratio.Series), power.Shade)
	}
	if text := v.Edges(); text != "" {
		t.Errorf("of periodic frames: %s", text)
	}
	v.Subjects[1].Record.Grid.Boundary[0] = field.Open
	html, err := v.HTML()
	must(t, err)
	if text, want := v.Edges(), "Edges: open along y in "+v.Subjects[1].Name+". The spectra are of frames as if they repeated there"; !strings.HasPrefix(text, want) || !strings.Contains(string(html), want) {
		t.Errorf("%s, want %s", text, want)
	}
	for k, y := range ratio.Series[0].Y {
		if want := power.Series[1].Y[k] / power.Series[0].Y[k]; math.Abs(y-want) > 1e-12*want {
			t.Errorf("ratio %g at k %d, want %g", y, k+1, want)
		}
	}
}

// TestThin: a long curve keeps its extremes, and its order.
func TestThin(t *testing.T) {
	const n = 100_000
	steps, values := make([]int, n), make([]float64, n)
	for i := range steps {
		steps[i], values[i] = 10*i, math.Sin(float64(i)/5000)
	}
	values[77_777], values[33_333] = 9, -9
	x, y := thin(steps, values)
	least, largest := math.Inf(1), math.Inf(-1)
	for i := range x {
		least, largest = min(least, y[i]), max(largest, y[i])
		if i > 0 && x[i] <= x[i-1] {
			t.Fatalf("step %g after %g", x[i], x[i-1])
		}
		if y[i] != values[int(x[i])/10] {
			t.Fatalf("%g at step %g", y[i], x[i])
		}
	}
	if len(x) > mostPoints || least != -9 || largest != 9 {
		t.Errorf("%d points, %g to %g", len(x), least, largest)
	}
	if x, _ := thin(steps[:mostPoints], values[:mostPoints]); len(x) != mostPoints {
		t.Errorf("%d points of a short curve", len(x))
	}
}

func TestNumbers(t *testing.T) {
	data, err := json.Marshal(Numbers{1, 1234567, 0.123456789, math.NaN(), -1e-20, math.Inf(1)})
	if got, want := string(data), "[1,1234567,0.12346,null,-1e-20,null]"; got != want || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

// TestColors: page.css has the colour of every source, and of runs.
func TestColors(t *testing.T) {
	css := text("page.css")
	names := []string{"other"}
	for _, key := range []string{"truth", "hi", "lo", "low", "bilinear", "linear", "bilinear_projected", "linear_projected", "ode", "ode_ema", "sde_ema", "sample", "mean", "regression", "crps_ema"} {
		if names = append(names, colorOf(key)); colorOf(key) == "other" {
			t.Errorf("%s has no colour", key)
		}
	}
	for i := range runColors {
		names = append(names, fmt.Sprintf("run%d", i))
	}
	for _, name := range names {
		for _, rule := range []string{"--c-" + name + ": #", ".bg-" + name + " {", ".fill-" + name + " {", ".stroke-" + name + " {"} {
			if !strings.Contains(css, rule) {
				t.Errorf("page.css has no %s", rule)
			}
		}
	}
}

func TestTimes(t *testing.T) {
	r := some(t, somerun.Config{Name: "a", Side: 16, Fields: []string{"Bx"}, Frames: 1, Lines: 500, Evaluations: 4, LR: 1})
	_, err := r.Refresh()
	must(t, err)
	// 5000 steps of 4 frames at 12.5 frames a second, and 4 evaluations of 3.25 s, on two threads
	want := []Fact{{"training", "26 min 40 s"}, {"evaluations", "13.0 s"}, {"speed", "12.5 training frames/s, 3.12 steps/s"}, {"cost", "0.896 core-hours"}}
	if d := cmp.Diff(want, []Fact(times(r))); d != "" {
		t.Error(d)
	}
}

// TestVendored: the libraries are those whose sums are written down.
func TestVendored(t *testing.T) {
	sums, err := os.ReadFile("uplot/SUMS")
	must(t, err)
	n := 0
	for line := range strings.Lines(string(sums)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok || len(sum) != 64 {
			continue
		}
		data, err := os.ReadFile(name)
		must(t, err)
		if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s is not the one in SUMS", name)
		}
		n++
	}
	if n != 5 {
		t.Errorf("%d sums", n)
	}
}

// TestFloor: the axis of spectra ends at a tenth of the truth's least power below Nyquist.
func TestFloor(t *testing.T) {
	truth := evaluate.Series{9, 8, 4, 2, 0.5}
	for n, want := range map[int]float64{3: 0.2, 2: 0.4, 0: 0.05, 9: 0.05} {
		if got := floor(truth, n); got != want {
			t.Errorf("up to shell %d: %g, want %g", n, got, want)
		}
	}
	if got := floor(evaluate.Series{1, 0}, 1); got != 0 {
		t.Errorf("without power: %g", got)
	}
}
