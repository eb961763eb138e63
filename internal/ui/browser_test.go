package ui

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	htmlpage "fmsr.example/fmsr/internal/page"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/testkit/somerun"
)

// TestBrowser opens pages in a headless Chromium. FMSR_BROWSER=required makes a missing
// browser a failure; FMSR_SHOTS=DIR leaves pictures of the pages there.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("the other tests let the race detector see all of the server")
	}
	browser := chromium(t)
	runs, files := t.TempDir(), t.TempDir()
	for i, c := range []somerun.Config{
		{Name: "first", Side: 64, Fields: []string{"density", "Bx", "By"}, Frames: 2, Lines: 60, Evaluations: 6, LR: 1e-3},
		{Name: "second, with a name of forty-odd letters", Side: 64, Fields: []string{"density", "Bx", "By"}, Frames: 2, Lines: 40, Evaluations: 2, LR: 5e-4, Total: 600},
	} {
		must(t, somerun.Write(filepath.Join(runs, fmt.Sprint(i)), c))
	}
	one, both := writeReport(t, files, filepath.Join(runs, "0")), writeReport(t, files, filepath.Join(runs, "0"), filepath.Join(runs, "1"))
	server := httptest.NewServer(served(t, false, runs))
	defer server.Close()

	t.Run("report", func(t *testing.T) { testReport(t, browser.open(t, one)) })
	t.Run("report of two", func(t *testing.T) { browser.open(t, both).sound(t, "report-of-two") })
	t.Run("report without scripts", func(t *testing.T) {
		b := browser.open(t, one, emulation.SetScriptExecutionDisabled(true))
		b.true(t, "no script has run", `!document.querySelector("canvas") && getComputedStyle(document.querySelector(".controls")).display === "none"`)
		b.true(t, "every chart is drawn, with a curve for each label", `[...document.querySelectorAll(".chart")].every(c => {
			const curves = [...c.querySelectorAll(".curve")], frame = c.getBoundingClientRect();
			return c.querySelector("svg").ariaLabel.split(", ").length >= curves.length && curves.length > 0 && curves.every(p => p.getTotalLength() > 0 && getComputedStyle(p).stroke !== "none") && frame.height > 100;
		})`)
		b.true(t, "and its labels are readable", `[...document.querySelectorAll("#spectra .drawing text")].every(e => e.getBoundingClientRect().height > 8) && document.querySelector("#spectra .legend").innerText.includes("linear filter")`)
		b.shoot(t, "report-without-scripts")
	})
	t.Run("ui", func(t *testing.T) { testUI(t, browser.open(t, server.URL+"/?run=0")) })
	t.Run("ui of two", func(t *testing.T) {
		b := browser.open(t, server.URL+"/?run=0&run=1")
		b.sound(t, "ui-of-two")
		b.true(t, "the chosen runs are ticked", `document.querySelectorAll(".picker input:checked").length === 2`)
		b.true(t, "the keys that differ are there", `document.querySelector("#details").innerText.includes("train.lr")`)
		testWipeOfRuns(t, b)
	})
	t.Run("live", func(t *testing.T) { testLive(t, browser.open(t, server.URL+"/?run=1"), filepath.Join(runs, "1")) })
}

func writeReport(t *testing.T, to string, dirs ...string) string {
	t.Helper()
	var runs []*runview.Run
	for _, dir := range dirs {
		r, err := runview.Open(dir)
		must(t, err)
		defer r.Close()
		runs = append(runs, r)
	}
	html, err := htmlpage.Report(runs...)
	must(t, err)
	path := filepath.Join(to, fmt.Sprintf("report%d.html", len(dirs)))
	must(t, os.WriteFile(path, html, 0o666))
	return "file://" + path
}

func testReport(t *testing.T, b *tab) {
	b.sound(t, "report")
	b.true(t, "scripts draw in place of the SVG", `[...document.querySelectorAll(".chart")].every(c => !c.chart.plot || !c.querySelector(".drawing"))`)
	b.true(t, "the sentence", `/^At step 600 the model has [0-9.]+ of bilinear's error/.test(document.querySelector(".verdict").innerText)`)
	b.true(t, "a field's tiles, and a wipe over them", `(() => {
		const v = document.querySelector(".viewer");
		return [...v.querySelectorAll(".panel:not([hidden]) > .tiles img")].every(i => i.naturalWidth === 64) && !v.querySelector(".wipe").hidden;
	})()`)
	b.do(t, `(() => { const f = document.querySelector(".field"); f.value = "1"; f.dispatchEvent(new Event("change")); })()`)
	b.true(t, "another field's tiles", `document.querySelector(".panel:not([hidden]) h4").innerText.startsWith("Bx") && document.querySelector(".stage .under").alt.startsWith("Bx")`)
	testWipe(t, b)
	testCharts(t, b)
	must(t, chromedp.Run(b.ctx, emulation.SetEmulatedMedia().WithMedia("print")))
	b.true(t, "all fields are printed, without controls", `[...document.querySelectorAll(".panel")].every(p => p.offsetHeight > 0) && document.querySelector(".wipe").offsetHeight === 0`)
}

// testWipe slides the edge by the range and by dragging.
func testWipe(t *testing.T, b *tab) {
	t.Helper()
	b.do(t, `(() => { const p = document.querySelector(".position"); p.value = 30; p.dispatchEvent(new Event("input")); })()`)
	b.true(t, "the edge is at 30%", `document.querySelector(".over").style.clipPath === "inset(0px 0px 0px 30%)" && document.querySelector(".edge").style.left === "30%"`)
	b.do(t, `document.querySelector(".stage").scrollIntoView({block: "center"})`)
	var box struct{ X, Y, Width, Height float64 }
	b.get(t, `(() => { const r = document.querySelector(".stage").getBoundingClientRect(); return {X: r.x, Y: r.y, Width: r.width, Height: r.height}; })()`, &box)
	must(t, chromedp.Run(b.ctx, chromedp.MouseClickXY(box.X+0.75*box.Width, box.Y+box.Height/2)))
	b.true(t, "the edge follows the mouse", `Math.abs(document.querySelector(".position").value - 75) < 1.5`)
	b.do(t, `(() => { const s = document.querySelector(".right"); s.value = "target"; s.dispatchEvent(new Event("change")); })()`)
	b.true(t, "another picture on the right", `document.querySelector(".over").alt.includes("target") && document.querySelector(".over").naturalWidth === 64`)
}

// testWipeOfRuns lays what the second run's model makes over the first's, at the step of the
// second run's slider and in the frame of the first's.
func testWipeOfRuns(t *testing.T, b *tab) {
	t.Helper()
	b.do(t, `(() => {
		const [first, second] = document.querySelectorAll(".viewer"), set = (at, value, event) => { at.value = value; at.dispatchEvent(new Event(event)); };
		set(first.querySelector(".left"), "generated", "change");
		set(first.querySelector(".right"), second.dataset.name + ": generated", "change");
		set(first.querySelector(".frame"), "1", "change");
		set(second.querySelector(".steps"), "0", "input");
	})()`)
	b.true(t, "one run's sample over another's", `(() => {
		const under = new URL(document.querySelector(".stage .under").src).searchParams, over = document.querySelector(".stage .over"), other = new URL(over.src).searchParams;
		return under.get("run") === "0" && other.get("run") === "1" && other.get("frame") === "1" && other.get("step") === "200" && under.get("step") === "600" && over.naturalWidth === 64;
	})()`)
}

// testCharts: the legend, hovering, smoothing and the axes.
func testCharts(t *testing.T, b *tab) {
	t.Helper()
	b.do(t, `document.querySelector("#spectra .legend").scrollIntoView()`)
	b.true(t, "spectra are drawn", `document.querySelector("#spectra .chart").chart?.plot != null`)
	shown := `document.querySelector("#spectra .chart").chart.plot.series.filter(s => s.label === "linear filter 9x9")[0].show`
	button := `[...document.querySelectorAll("#spectra .legend button")].find(b => b.innerText.includes("linear filter"))`
	b.do(t, button+`.click()`)
	b.true(t, "a label of the legend hides its curves", `!`+shown+` && `+button+`.getAttribute("aria-pressed") === "false"`)
	b.do(t, button+`.click()`)
	b.true(t, "and shows them again", shown)
	b.do(t, `document.querySelector("#curves .chart").scrollIntoView({block: "center"})`)
	b.true(t, "curves are drawn", `document.querySelector("#curves .chart").chart?.plot != null`)
	var at struct{ X, Y float64 }
	b.get(t, `(() => { const r = document.querySelector("#curves .u-over").getBoundingClientRect(); return {X: r.x + r.width / 2, Y: r.y + r.height / 2}; })()`, &at)
	must(t, chromedp.Run(b.ctx, chromedp.MouseEvent("mouseMoved", at.X, at.Y), chromedp.MouseEvent("mouseMoved", at.X+2, at.Y)))
	b.true(t, "hovering shows the values", `(() => { const tip = document.querySelector("#curves .tip"); return !tip.hidden && /step\s*\d+/.test(tip.innerText) && tip.innerText.includes("train/loss"); })()`)
	b.do(t, `(() => { const s = document.querySelector("#smoothing"); s.value = 0.9; s.dispatchEvent(new Event("input")); })()`)
	b.true(t, "smoothing adds a smoother curve", `(() => {
		const p = document.querySelector("#curves .chart").chart.plot, rough = y => y.slice(1).reduce((sum, v, i) => sum + Math.abs(v - y[i]), 0);
		return p.series.length === 3 && rough(p.data[2]) < rough(p.data[1]) / 2;
	})()`)
	b.do(t, `document.querySelector("#log-x").click()`)
	b.true(t, "a logarithmic axis of steps", `document.querySelector("#curves .chart").chart.plot.scales.x.distr === 3`)
}

func testUI(t *testing.T, b *tab) {
	b.sound(t, "ui")
	b.true(t, "tiles of the last step", `document.querySelector("output.step").value === "600" && [...document.querySelectorAll(".panel:not([hidden]) > .tiles img")].every(i => i.naturalWidth === 64)`)
	b.do(t, `(() => { const s = document.querySelector(".steps"); s.value = 1; s.dispatchEvent(new Event("input")); })()`)
	b.true(t, "the slider shows an earlier step", `document.querySelector("output.step").value === "200" && document.querySelector(".panel:not([hidden]) img[data-tile='tiles_ema/density']").src.includes("step=200")`)
	b.do(t, `(() => { const f = document.querySelector(".frame"); f.value = "1"; f.dispatchEvent(new Event("change")); })()`)
	b.true(t, "another frame", `[...document.querySelectorAll(".panel:not([hidden]) > .tiles img")].every(i => i.src.includes("frame=1") && i.complete && i.naturalWidth === 64)`)
	testWipe(t, b)
	testCharts(t, b)
	b.do(t, `document.querySelector(".picker input[value='1']").click()`)
	b.true(t, "a ticked run is laid over the first", `location.search === "?run=0&run=1" && document.querySelectorAll(".viewer").length === 2`)
}

// testLive: a run that goes on shows its new step without a reload.
func testLive(t *testing.T, b *tab, dir string) {
	b.true(t, "the page asks", `document.readyState === "complete"`)
	b.do(t, `window.same = true`)
	time.Sleep(300 * time.Millisecond) // until the page has asked for the first time
	f, err := os.OpenFile(filepath.Join(dir, runview.MetricsName), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(`{"step":410,"train/loss":0.5}` + "\n")
	must(t, err)
	must(t, f.Close())
	b.true(t, "the new step is there", `window.same && document.querySelector("#verdict .state").innerText === "stopped at step 410 of 600" && document.querySelector("#curves .chart").chart.about.series[0].y.at(-1) === 0.5`)
}

// browser is one Chromium for all tests.
type browser struct {
	ctx context.Context
}

// chromium starts a browser; the test is skipped if there is none.
func chromium(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("FMSR_BROWSER") == "required" {
			t.Fatal("there is no Chromium, and FMSR_BROWSER=required: apt-get install chromium")
		}
		t.Skip("there is no Chromium to open pages with: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profileFolder(t)), chromedp.WSURLReadTimeout(2*time.Minute))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	must(t, chromedp.Run(ctx))
	return &browser{ctx}
}

// tab is an open page and what went wrong on it.
type tab struct {
	ctx context.Context

	mu     sync.Mutex
	faults []string
}

// profileFolder returns a folder for the browser. Some of its processes write into it for a
// moment after they were told to end.
func profileFolder(t *testing.T) string {
	dir, err := os.MkdirTemp("", "fmsr-browser-")
	must(t, err)
	t.Cleanup(func() {
		for range 100 {
			if err = os.RemoveAll(dir); err == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Error(err)
	})
	return dir
}

// open opens a page. At the end of the test no error may be on its console, and no request
// may have gone elsewhere. Before it is opened, other actions can prepare the tab.
func (b *browser) open(t *testing.T, address string, before ...chromedp.Action) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(b.ctx)
	t.Cleanup(end)
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(stop)
	p := &tab{ctx: ctx}
	home, err := url.Parse(address)
	must(t, err)
	chromedp.ListenTarget(ctx, func(event any) { p.note(home, event) })
	must(t, chromedp.Run(ctx, before...))
	must(t, chromedp.Run(ctx, log.Enable(), network.Enable(), emulation.SetDeviceMetricsOverride(1280, 900, 1, false), chromedp.Navigate(address), page.BringToFront())) // a tab behind others is not drawn
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, f := range p.faults {
			t.Error(f)
		}
	})
	return p
}

// note keeps what is a fault.
func (p *tab) note(home *url.URL, event any) {
	fault := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		fault = "exception: " + e.ExceptionDetails.Error()
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			for _, a := range e.Args {
				fault += "console: " + string(a.Value)
			}
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			fault = fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if to, err := url.Parse(e.Request.URL); err != nil || to.Scheme != "data" && (to.Scheme != home.Scheme || to.Host != home.Host) {
			fault = "a request to " + e.Request.URL
		}
	}
	if fault != "" {
		p.mu.Lock()
		p.faults = append(p.faults, fault)
		p.mu.Unlock()
	}
}

// get evaluates an expression.
func (p *tab) get(t *testing.T, expression string, into any) {
	t.Helper()
	wait := func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }
	if err := chromedp.Run(p.ctx, chromedp.Evaluate(expression, into, wait)); err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
}

func (p *tab) do(t *testing.T, expression string) {
	t.Helper()
	p.get(t, "("+expression+", true)", new(bool))
}

// true waits until an expression is true, for fifteen seconds.
func (p *tab) true(t *testing.T, what, expression string) {
	t.Helper()
	is := false
	for end := time.Now().Add(15 * time.Second); !is && time.Now().Before(end); {
		p.get(t, "(() => { try { return !!("+expression+"); } catch (e) { return false; } })()", &is)
		if !is {
			time.Sleep(50 * time.Millisecond)
		}
	}
	if !is {
		t.Errorf("not %s: %s", what, expression)
	}
}

// wide lists what is beyond the screen's right edge or cut by its parent, but for what scrolls
// within a box of its own.
const wide = `(() => {
	const scrolls = e => { for (; e; e = e.parentElement) if (["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX) && e !== document.body) return true; return false; };
	const bad = [...document.querySelectorAll("body *")].filter(e => e.offsetParent && e.getBoundingClientRect().right > innerWidth + 1 && !scrolls(e.parentElement));
	if (document.documentElement.scrollWidth > innerWidth) bad.push(document.documentElement);
	return bad.map(e => e.tagName + "." + e.className + " " + (e.innerText ?? "").slice(0, 40));
})()`

// dark is the lightness of the page's ground and that of its text, 0 to 255.
const dark = `["backgroundColor", "color"].map(c => Number(getComputedStyle(document.body)[c].match(/\d+/)[0]))`

// sound checks a page as a wide screen, a phone and a dark screen show it, and for those who
// use it by ear or by keys.
func (p *tab) sound(t *testing.T, name string) {
	t.Helper()
	p.true(t, "charts are drawn", `document.querySelector(".chart").chart?.plot != null`)
	p.axe(t, "light")
	for _, width := range []int64{380, 768} {
		p.look(t, width, "light")
		var bad []string
		p.true(t, "charts that fit the screen", `[...document.querySelectorAll(".chart")].every(c => !c.chart?.plot || Math.abs(c.chart.plot.width - c.clientWidth) < 2)`)
		p.get(t, wide, &bad)
		for _, b := range bad {
			t.Errorf("at %d pixels, beyond the edge: %s", width, b)
		}
	}
	p.look(t, 1280, "dark")
	var lightness []float64
	p.get(t, dark, &lightness)
	if lightness[0] > 60 || lightness[1] < 180 {
		t.Errorf("dark: ground %g, text %g", lightness[0], lightness[1])
	}
	p.axe(t, "dark")
	for _, shot := range []struct {
		name, colors string
		width        int64
	}{{name + "-dark", "dark", 1280}, {name + "-phone", "light", 380}, {name, "light", 1280}} {
		p.look(t, shot.width, shot.colors)
		p.shoot(t, shot.name)
	}
}

// look gives the screen a width, and the system's colours.
func (p *tab) look(t *testing.T, width int64, colors string) {
	t.Helper()
	must(t, chromedp.Run(p.ctx, emulation.SetDeviceMetricsOverride(width, 900, 1, width < 500),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: colors}})))
}

// axe checks that axe-core finds no serious or critical fault.
func (p *tab) axe(t *testing.T, how string) {
	t.Helper()
	script, err := os.ReadFile("../page/testdata/axe/axe.min.js")
	must(t, err)
	p.do(t, "(() => { if (!window.axe) {"+string(script)+"} })()")
	var found []struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML string }
	}
	var text string
	p.get(t, `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map(n => ({html: n.html}))}))))`, &text)
	must(t, json.Unmarshal([]byte(text), &found))
	for _, f := range found {
		if f.Impact == "serious" || f.Impact == "critical" {
			t.Errorf("axe, %s: %s: %s: %.300s (%d)", how, f.ID, f.Help, f.Nodes[0].HTML, len(f.Nodes))
		}
	}
}

// shoot leaves a picture of the whole page in FMSR_SHOTS.
func (p *tab) shoot(t *testing.T, name string) {
	t.Helper()
	to := os.Getenv("FMSR_SHOTS")
	if to == "" {
		return
	}
	p.do(t, `document.querySelectorAll(".chart").forEach(c => c.offsetParent && c.chart?.draw())`)
	var shot []byte
	must(t, chromedp.Run(p.ctx, chromedp.FullScreenshot(&shot, 100)))
	must(t, os.WriteFile(filepath.Join(to, name+".png"), shot, 0o666))
}
