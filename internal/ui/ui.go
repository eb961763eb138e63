// Package ui serves one page over folders of runs, for a browser on the same machine.
//
//	/               the runs, and of the chosen ones (?run=ID&run=ID) what package page shows
//	/tile           a field of a run, step and frame
//	/changes        a text that differs once a run has gone on
//	/assets/        scripts and styles, from the binary
//
// It reads only the folders that it was given: runs are found in them once in a while, each
// request names one of those by its ID, and all files are opened below its folder (os.Root).
// It answers GET alone. Other sites cannot read it: it has no CORS header, refuses names of
// hosts that are not this machine's (DNS rebinding) or, if other machines may connect,
// requests without its token. The page may load nothing from elsewhere.
package ui

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"fmsr.example/fmsr/internal/page"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/runview"
)

// Server answers requests. It may be used by several goroutines.
type Server struct {
	Token string // that requests have to give; empty: only this machine can connect

	mu    sync.Mutex
	runs  *finder
	ahead sync.WaitGroup // what is read before anybody asks
}

// New returns a server over these folders. With anybody, other machines may connect, and
// Server.Token is made.
func New(dirs []string, anybody bool) (*Server, error) {
	runs, err := newFinder(dirs)
	if err != nil {
		return nil, err
	}
	s := &Server{runs: runs}
	if anybody {
		secret := make([]byte, 16)
		_, _ = rand.Read(secret) // never fails
		s.Token = hex.EncodeToString(secret)
	}
	s.ahead.Go(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, _ = s.view(nil)
	})
	return s, nil
}

// Close closes the folders.
func (s *Server) Close() error {
	s.ahead.Wait()
	s.mu.Lock() // an answer may still be under way
	defer s.mu.Unlock()
	return s.runs.close()
}

// policy lets a page load what this server has, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// cookie holds the token once a browser has given it.
const cookie = "fmsr-token"

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
	} {
		w.Header().Set(name, value)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "GET alone", http.StatusMethodNotAllowed)
		return
	}
	if !s.admits(w, r) {
		return
	}
	if name, ok := strings.CutPrefix(r.URL.Path, "/assets/"); ok {
		serveAsset(w, name)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.URL.Path {
	case "/":
		s.servePage(w, r)
	case "/tile":
		s.serveTile(w, r)
	case "/changes":
		fmt.Fprint(w, s.runs.stamp())
	default:
		http.NotFound(w, r)
	}
}

// admits reports whether a request may be answered, and answers it otherwise.
func (s *Server) admits(w http.ResponseWriter, r *http.Request) bool {
	if s.Token == "" {
		if !isLocal(r.Host) {
			http.Error(w, "this page is served to its own machine alone, as localhost", http.StatusForbidden)
			return false
		}
		return true
	}
	given := r.URL.Query().Get("token")
	if s.isToken(given) {
		http.SetCookie(w, &http.Cookie{Name: cookie, Value: given, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		without := r.URL.Query()
		without.Del("token")
		http.Redirect(w, r, (&url.URL{Path: "/", RawQuery: without.Encode()}).String(), http.StatusSeeOther)
		return false
	}
	if c, err := r.Cookie(cookie); err == nil && s.isToken(c.Value) {
		return true
	}
	http.Error(w, "open the address that fmsr ui has printed: it holds a token", http.StatusForbidden)
	return false
}

func (s *Server) isToken(given string) bool {
	return subtle.ConstantTimeCompare([]byte(given), []byte(s.Token)) == 1
}

// isLocal reports whether a Host header names this machine as itself.
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

func serveAsset(w http.ResponseWriter, name string) {
	data, kind := page.Asset(name)
	if data == nil {
		http.Error(w, "no such file", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(data)
}

// mostChosen is how many runs are shown over each other.
const mostChosen = 16

func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	view, err := s.view(r.URL.Query()["run"])
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	html, err := view.HTML()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(html)
}

// view returns the page of the chosen runs; none: of the newest.
func (s *Server) view(chosen []string) (*page.View, error) {
	known, notes := s.runs.all()
	if len(chosen) == 0 && len(known) > 0 {
		chosen = []string{newest(known).id}
	}
	chosen = chosen[:min(len(chosen), mostChosen)]
	picker := &page.Picker{Runs: make([]page.Choice, len(known))}
	faults := make([]error, len(known))
	_ = parallel.Each(len(known), func(i int) error {
		f, is := known[i], slices.Contains(chosen, known[i].id)
		if is {
			_, faults[i] = f.run.Refresh()
		}
		picker.Runs[i] = page.NewChoice(f.run, f.id, is)
		return nil
	})
	var runs []*runview.Run
	var ids []string
	for i, c := range picker.Runs {
		if c.Chosen {
			runs, ids = append(runs, c.Run), append(ids, c.ID)
		}
		if faults[i] != nil {
			notes = append(notes, faults[i].Error())
		}
	}
	if len(known) == 0 {
		notes = append(notes, "there are no runs here yet")
	}
	picker.Note = strings.Join(notes, "; ")
	return page.Build(runs, picker, func(i int) string { return ids[i] }, tileURL)
}

// tileURL returns the address of a tile; none where the run has none.
func tileURL(s *page.Subject, name string, step, frame int) (template.URL, error) {
	steps, err := s.Pictures(name)
	if err != nil || len(steps) == 0 {
		return "", err
	}
	q := url.Values{"run": {s.ID}, "name": {name}, "step": {strconv.Itoa(step)}, "frame": {strconv.Itoa(frame)}}
	return template.URL("/tile?" + q.Encode()), nil
}

func (s *Server) serveTile(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	step, errStep := strconv.Atoi(q.Get("step"))
	frame, errFrame := strconv.Atoi(q.Get("frame"))
	name, f := q.Get("name"), s.runs.find(q.Get("run"))
	if f == nil || errStep != nil || errFrame != nil || !strings.HasPrefix(name, "tiles") || !filepath.IsLocal(name) {
		http.Error(w, "no such tile", http.StatusNotFound)
		return
	}
	data, err := page.TileOf(f.run, name, step, frame)
	if data == nil || err != nil {
		http.Error(w, fmt.Sprintf("no such tile: %v", err), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(data)
}
