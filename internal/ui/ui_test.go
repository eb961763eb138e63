package ui

import (
	"bytes"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/testkit/somerun"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func served(t testing.TB, anybody bool, dirs ...string) *Server {
	t.Helper()
	s, err := New(dirs, anybody)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// ask answers a request to localhost.
func ask(s *Server, address string, change ...func(*http.Request)) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8420"+address, nil)
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func body(t testing.TB, r *http.Response) string {
	t.Helper()
	var b bytes.Buffer
	_, err := b.ReadFrom(r.Body)
	must(t, err)
	return b.String()
}

var small = somerun.Config{Name: "small", Side: 16, Fields: []string{"Bx", "By"}, Frames: 2, Lines: 8, Evaluations: 2, LR: 1e-3}

// TestServe: the page, its parts, the runs that are found, and nothing else.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "deep/er/b", "a/images/inside", ".hidden", "one/two/three/four/five/six"} {
		must(t, somerun.Write(filepath.Join(dir, name), small))
	}
	elsewhere := t.TempDir()
	must(t, somerun.Write(filepath.Join(elsewhere, "secret"), small))
	must(t, os.Symlink(filepath.Join(elsewhere, "secret"), filepath.Join(dir, "link")))
	must(t, os.Symlink("/", filepath.Join(dir, "a", "images", "tiles_root")))
	s := served(t, false, dir)
	page := body(t, ask(s, "/"))
	for text, want := range map[string]int{`value="a"`: 1, `value="deep/er/b"`: 1, `name="run"`: 2, "At step 80 the model has": 1, `src="/tile?`: 2 * 5} {
		if got := strings.Count(page, text); got != want {
			t.Errorf("%d of %s, want %d", got, text, want)
		}
	}
	tile := ask(s, "/tile?run=a&name=tiles_ema/Bx&step=80&frame=1")
	if img, err := png.Decode(tile.Body); err != nil || img.Bounds().Dx() != 16 || img.Bounds().Dy() != 16 {
		t.Errorf("tile: %v", err)
	}
	for address, want := range map[string]int{
		"/assets/page.js": 200, "/assets/uplot/uPlot.iife.min.js": 200, "/changes": 200, "/?run=a&run=deep/er/b": 200, "/?run=nobody": 200,
		"/assets/page.go": 404, "/assets/../ui.go": 404, "/x": 404, "/spec.yaml": 404, "/a/spec.yaml": 404,
		"/tile?run=a&name=tiles_ema/Bx&step=80&frame=2": 404, "/tile?run=a&name=tiles_ema/Bx&step=39&frame=0": 404, "/tile?run=a&name=tiles_ema/Bx&step=80&frame=-1": 404,
		"/tile?run=link&name=tiles_ema/Bx&step=80&frame=0": 404, "/tile?run=../secret&name=tiles_ema/Bx&step=80&frame=0": 404, "/tile?run=.&name=tiles_ema/Bx&step=80&frame=0": 404,
		"/tile?run=a&name=tiles_root/etc&step=80&frame=0": 404, "/tile?run=a&name=tiles/../../../deep/er/b/images/tiles_ema/Bx&step=80&frame=0": 404,
		"/tile?run=a&name=/etc&step=80&frame=0": 404,
	} {
		if got := ask(s, address); got.StatusCode != want {
			t.Errorf("%s: %d, want %d: %s", address, got.StatusCode, want, body(t, got))
		}
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Content-Security-Policy": policy, "Access-Control-Allow-Origin": ""} {
		if got := ask(s, "/").Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := ask(s, "/", func(r *http.Request) { r.Method = http.MethodPost }); got.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", got.StatusCode)
	}
}

// TestHosts: names of hosts that are not this machine's are refused.
func TestHosts(t *testing.T) {
	s := served(t, false, t.TempDir())
	for host, want := range map[string]int{
		"localhost": 200, "localhost:8420": 200, "127.0.0.1:8420": 200, "[::1]:8420": 200, "127.9.9.9": 200,
		"evil.example": 403, "evil.example:8420": 403, "localhost.evil.example": 403, "192.168.1.5": 403, "": 403, "127.0.0.1.nip.io": 403,
	} {
		if got := ask(s, "/", func(r *http.Request) { r.Host = host }).StatusCode; got != want {
			t.Errorf("%q: %d, want %d", host, got, want)
		}
	}
}

// TestToken: where others may connect, all is refused without the token, which the first
// request gives and a cookie keeps.
func TestToken(t *testing.T) {
	s := served(t, true, t.TempDir())
	for _, address := range []string{"/", "/assets/page.js", "/changes", "/?token=", "/?token=" + s.Token[1:], "/tile"} {
		if got := ask(s, address).StatusCode; got != http.StatusForbidden {
			t.Errorf("%s: %d", address, got)
		}
	}
	first := ask(s, "/?run=a&token="+s.Token)
	if first.StatusCode != http.StatusSeeOther || first.Header.Get("Location") != "/?run=a" || len(first.Cookies()) != 1 {
		t.Fatalf("%d to %s, %d cookies", first.StatusCode, first.Header.Get("Location"), len(first.Cookies()))
	}
	c := first.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("%+v", c)
	}
	if got := ask(s, "/", func(r *http.Request) { r.AddCookie(c) }).StatusCode; got != 200 {
		t.Errorf("with the cookie: %d", got)
	}
	if got := ask(s, "/", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: c.Name, Value: "x"}) }).StatusCode; got != http.StatusForbidden {
		t.Errorf("with another cookie: %d", got)
	}
}

// TestChanges: a run that goes on changes the stamp, and the page has its new step.
func TestChanges(t *testing.T) {
	dir := t.TempDir()
	must(t, somerun.Write(filepath.Join(dir, "a"), small))
	s := served(t, false, dir)
	before := body(t, ask(s, "/changes"))
	if again := body(t, ask(s, "/changes")); again != before {
		t.Errorf("%s, then %s", before, again)
	}
	f, err := os.OpenFile(filepath.Join(dir, "a", "metrics.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(`{"step":90,"train/loss":0.125}` + "\n")
	must(t, err)
	must(t, f.Close())
	if body(t, ask(s, "/changes")) == before {
		t.Error("no change")
	}
	if page := body(t, ask(s, "/")); !strings.Contains(page, "0.125]") || !strings.Contains(page, "ended at step 90") {
		t.Error("the page lacks the new step")
	}
	must(t, os.RemoveAll(filepath.Join(dir, "a")))
	s.mu.Lock() // also what the server reads ahead may still be to come
	s.runs.scanned = time.Time{}
	s.mu.Unlock()
	if page := body(t, ask(s, "/")); !strings.Contains(page, "there are no runs here yet") {
		t.Error("the run is still there")
	}
}

// TestFifty: with fifty runs of 10,000 lines and 200 evaluations, a page takes 200 ms of
// processor time at most, also the first, and one with the curves of three runs.
func TestFifty(t *testing.T) {
	dir := fifty(t)
	first, later := time.Hour, time.Hour
	var s *Server
	for range 3 {
		began := processorTime(t)
		s = served(t, false, dir)
		if n := strings.Count(body(t, ask(s, "/")), `name="run"`); n != 50 {
			t.Fatalf("%d runs", n)
		}
		first = min(first, processorTime(t)-began)
	}
	for range 5 {
		began := processorTime(t)
		body(t, ask(s, "/?run=0&run=1&run=2"))
		later = min(later, processorTime(t)-began)
	}
	t.Logf("50 runs: at first %v, then %v", first, later)
	if limit := 200 * time.Millisecond; (first > limit || later > limit) && !testing.Short() {
		t.Errorf("a page of 50 runs takes %v at first and then %v, want at most %v", first, later, limit)
	}
}

// processorTime returns what this process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// fifty writes fifty runs. Their evaluations are one, under other names.
func fifty(t testing.TB) string {
	dir := t.TempDir()
	c := somerun.Config{Name: "long", Side: 16, Fields: []string{"Bx", "By"}, Frames: 1, Lines: 10_000, Evaluations: 1, LR: 1}
	must(t, somerun.Write(filepath.Join(dir, "0"), c))
	for i := 2; i <= 200; i++ {
		must(t, os.Link(filepath.Join(dir, "0/evaluations/100000.json"), filepath.Join(dir, fmt.Sprintf("0/evaluations/%d.json", 500*i-1))))
	}
	for i := 1; i < 50; i++ {
		must(t, os.CopyFS(filepath.Join(dir, fmt.Sprint(i)), os.DirFS(filepath.Join(dir, "0"))))
	}
	return dir
}

func BenchmarkFiftyRuns(b *testing.B) {
	s := served(b, false, fifty(b))
	body(b, ask(s, "/?run=0&run=1&run=2"))
	for b.Loop() {
		body(b, ask(s, "/?run=0&run=1&run=2"))
	}
}
