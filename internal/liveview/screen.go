package liveview

import (
	"bytes"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"fmsr.example/fmsr/internal/terminal"
)

// Times of drawing.
const (
	drawEvery = 500 * time.Millisecond // at most
	lookEvery = time.Second            // at least: the time that is left grows smaller
	frameRate = 10                     // how often a second the renderer looks for a new frame
)

// screen draws lines at the end of a terminal's scrollback, below what was printed. The
// terminal stays as it is: nothing is read from it, no mode is set, and the cursor waits on
// an empty line below the frame. Signals, Ctrl-C too, reach the program as ever, and a
// process that is killed leaves nothing to be restored.
type screen struct {
	file    *os.File
	program *tea.Program
	profile colorprofile.Profile
	lines   func(look look, width, height int) []string // of the frame now
	drawn   chan struct{}                               // closed once the first frame is on the terminal
	ended   chan struct{}                               // closed once the program has ended
	ticking sync.WaitGroup
	stop    chan struct{}

	mu            sync.Mutex // is never held while the program is waited for
	changed       bool
	over          bool // the frame goes
	width, height int
	drawnLines    int // of the frame, without the cursor's

	writing sync.Mutex
	part    []byte // of a line that is being written
}

// start draws lines until end is called.
func start(file *os.File, lines func(look look, width, height int) []string) *screen {
	s := &screen{file: file, lines: lines, profile: profile(), drawn: make(chan struct{}), ended: make(chan struct{}), stop: make(chan struct{})}
	s.width, s.height, _ = term.GetSize(int(file.Fd())) // without it, the program ends with the error
	first := model{screen: s, look: newLook()}
	first.draw()
	s.program = tea.NewProgram(first, tea.WithColorProfile(s.profile), tea.WithInput(nil), tea.WithOutput(&output{File: file, drawn: s.drawn}),
		tea.WithoutSignalHandler(), tea.WithFPS(frameRate))
	go func() {
		defer close(s.ended)
		_, _ = s.program.Run() // without it, lines are plain
	}()
	s.ticking.Go(s.tick)
	return s
}

// tick redraws what has changed, and all of it when something else has moved the cursor.
func (s *screen) tick() {
	ticker := time.NewTicker(drawEvery)
	defer ticker.Stop()
	stops := newStops(s.file)
	defer signal.Stop(stops.over)
	last, typed := time.Now(), s.typed()
	for {
		select {
		case <-s.stop:
			return
		case now := <-ticker.C:
			away, returned := stops.look(now)
			if away {
				break
			}
			s.mu.Lock()
			due := s.changed || now.Sub(last) >= lookEvery
			s.changed = false
			below := strings.Repeat("\n", s.drawnLines)
			s.mu.Unlock()
			if returned { // below what the shell has written
				_, _ = s.file.WriteString(below)
				s.program.Send(tea.ClearScreen())
			}
			if n := s.typed(); n != typed {
				typed = n
				s.program.Send(tea.ClearScreen())
			}
			if due {
				last = now
				s.program.Send(redraw{})
			}
		}
	}
}

// stops notices that the user stops the process, or takes it to the background, and returns
// to it. The signal that follows a stop comes without one too, from the launcher of ranks.
type stops struct {
	file *os.File
	over chan os.Signal
	away bool      // has been in the background
	last time.Time // of look
	gap  time.Time // of the last look that came late, as after a stop
}

func newStops(file *os.File) *stops {
	s := &stops{file: file, over: make(chan os.Signal, 1), last: time.Now()}
	signal.Notify(s.over, unix.SIGCONT)
	return s
}

// look reports whether the process is in the background, and whether it has returned. It is
// called at each drawEvery.
func (s *stops) look(now time.Time) (away, returned bool) {
	if now.Sub(s.last) >= 2*drawEvery {
		s.gap = now
	}
	s.last = now
	if !terminal.Foreground(s.file) {
		s.away = true
		return true, false
	}
	returned, s.away = s.away, false
	select {
	case <-s.over:
		returned = returned || now.Sub(s.gap) < time.Second
	default:
	}
	return false, returned
}

// typed returns how many bytes of lines the user has typed, whose ends have moved the cursor.
func (s *screen) typed() int {
	n, _ := unix.IoctlGetInt(int(s.file.Fd()), unix.TIOCINQ)
	return n
}

// change lets the frame be drawn again soon.
func (s *screen) change() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = true
}

// Write writes whole lines above the frame, or, once the program has ended, as they are.
func (s *screen) Write(text []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.part = append(s.part, text...)
	if end := bytes.LastIndexByte(s.part, '\n'); end >= 0 {
		lines := string(s.part[:end])
		s.part = append([]byte(nil), s.part[end+1:]...)
		s.print(terminal.Printable(lines))
	}
	return len(text), nil
}

// print prints lines above the frame, in pieces that leave room for it on the terminal.
func (s *screen) print(text string) {
	select {
	case <-s.drawn: // before that, the renderer takes the frame for as high as the terminal
	case <-s.ended:
	}
	select {
	case <-s.ended:
		_, _ = s.file.WriteString(text + "\n") // a terminal that is gone ends nothing
		return
	default:
	}
	if !terminal.Foreground(s.file) {
		_, _ = s.file.WriteString(text + "\n")
		return
	}
	s.mu.Lock()
	width, room := max(minWidth, s.width), max(1, s.height-s.drawnLines-2)
	s.mu.Unlock()
	if strings.HasPrefix(text, "warning: ") {
		text = warned.Render("warning") + text[len("warning"):]
	}
	text = s.paint(lipgloss.Wrap(strings.ReplaceAll(text, "\t", "    "), width-1, ""))
	for lines := strings.Split(text, "\n"); len(lines) > 0; {
		n := min(len(lines), room)
		piece := strings.Join(lines[:n], "\n")
		if piece == "" {
			piece = " " // else nothing is printed
		}
		s.program.Send(tea.Println(piece)())
		lines = lines[n:]
	}
}

// profile returns the colours that a terminal is to have. The styles need no more than 16.
func profile() colorprofile.Profile {
	if os.Getenv("NO_COLOR") != "" {
		return colorprofile.ASCII
	}
	return colorprofile.ANSI
}

// paint returns a text with the colours that the terminal is to have.
func (s *screen) paint(text string) string {
	var b bytes.Buffer
	_, _ = (&colorprofile.Writer{Forward: &b, Profile: s.profile}).WriteString(text)
	return b.String()
}

// end takes the frame away. Lines are plain from then on.
func (s *screen) end() {
	close(s.stop)
	s.ticking.Wait()
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.program.Send(redraw{})
	s.program.Quit()
	<-s.ended
	s.writing.Lock()
	defer s.writing.Unlock()
	_, _ = s.file.WriteString(terminal.Printable(string(s.part))) // of a last line without an end
	s.part = nil
}

// output is the terminal. Between two writes the renderer has its cursor in the first column.
type output struct {
	*os.File
	drawn chan struct{} // is closed by the first write
	once  sync.Once
}

// Write writes from the first column on, where the cursor is not if keys were echoed, as ^C is.
func (o *output) Write(text []byte) (int, error) {
	_, err := o.File.Write(append([]byte{'\r'}, text...))
	o.once.Do(func() { close(o.drawn) })
	return len(text), err
}

// redraw is the message that there is something new.
type redraw struct{}

// minWidth is the least number of columns that lines are made for.
const minWidth = 20

// model is the frame, for Bubble Tea.
type model struct {
	screen *screen
	look   look
	frame  string
}

// Init does nothing.
func (m model) Init() tea.Cmd { return nil }

// Update draws a new frame.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.screen.mu.Lock()
		m.screen.width, m.screen.height = msg.Width, msg.Height
		m.screen.mu.Unlock()
		m.draw()
	case redraw:
		m.draw()
	}
	return m, nil
}

// draw makes the frame: the first lines that there is room for, and an empty one.
func (m *model) draw() {
	m.screen.mu.Lock()
	width, height, over := m.screen.width, m.screen.height, m.screen.over
	m.screen.mu.Unlock()
	if m.frame = ""; over {
		return
	}
	height = max(1, height-2) // the cursor's line, and one that was printed
	lines := m.screen.lines(m.look, width, height)
	lines = lines[:min(len(lines), height)]
	m.frame = strings.Join(lines, "\n") + "\n"
	m.screen.mu.Lock()
	m.screen.drawnLines = len(lines)
	m.screen.mu.Unlock()
}

// View returns the frame.
func (m model) View() tea.View {
	v := tea.NewView(m.frame)
	v.DisableBracketedPasteMode = true
	v.Cursor = tea.NewCursor(0, strings.Count(m.frame, "\n"))
	v.Cursor.Shape, v.Cursor.Blink = -1, false // with these two, it stays as the user has it
	return v
}
