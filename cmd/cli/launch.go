package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"fmsr.example/fmsr/internal/ranks"
	"fmsr.example/fmsr/internal/ranks/dist"
	"fmsr.example/fmsr/internal/terminal"
)

// patience is how long the other ranks may take to end after one has failed.
const patience = 30 * time.Second

// failedRank is the error of a rank that failed, which has printed its own message.
type failedRank struct{ rank, status int }

func (f *failedRank) Error() string {
	return fmt.Sprintf("rank %d failed: exit status %d", f.rank, f.status)
}

// launch runs this program, with its own arguments, as several ranks on this machine, which
// get torchrun's variables. A signal that ends ctx is passed on to all of them. Rank 0's
// output is this program's, and the others' errors come with their rank in front. When a
// rank that trains fails, the others are given some time to end, and are then killed. Ranks
// that do not train are shards: they show what they do, together if stdout is a live view, and
// work on when one fails. The error is the *failedRank that failed first.
func launch(ctx context.Context, size int, trains bool, stdout, stderr io.Writer) error {
	if trains {
		if terminal.Screen(stdout) != nil {
			held := &heldLines{to: stderr}
			defer held.release()
			stderr = held
		}
		stdout = nil
	}
	all, err := startRanks(size, stdout, stderr)
	ended := make(chan *rankProcess, len(all))
	for _, r := range all {
		go func() {
			_ = r.Wait() // its state says how it ended
			r.events.Wait()
			ended <- r
		}()
	}
	signal := func(s syscall.Signal) {
		for _, r := range all {
			_ = r.Process.Signal(s) // some may have ended
		}
	}
	if err != nil {
		signal(syscall.SIGKILL)
	}
	var late <-chan time.Time
	stop := ctx.Done()
	for left := len(all); left > 0; {
		select {
		case r := <-ended:
			left--
			if held, ok := stderr.(*heldLines); ok && r.rank == 0 {
				held.release()
			}
			failed := r.failed()
			if r.signalled() {
				fmt.Fprintf(stderr, "fmsr: rank %d: %v\n", r.rank, r.ProcessState)
				if trains && r.rank > 0 { // else the store has gone with it
					_ = dist.Report(r.place, fmt.Sprintf("was ended (%v)", r.ProcessState)) // without it they notice later
				}
			}
			if failed != nil && err == nil {
				err = failed
				if !trains {
					continue
				}
				signal(syscall.SIGCONT) // one that was stopped can end too
				if stop != nil {        // else rank 0 may stay, as run.on_signal says
					late = time.After(patience)
				}
			}
		case <-stop:
			stop = nil
			if by := (interrupted{}); errors.As(context.Cause(ctx), &by) {
				signal(by.signal)
			}
		case <-late:
			fmt.Fprintf(stderr, "fmsr: %v, and %d ranks have not ended within %v: killing them\n", err, left, patience)
			signal(syscall.SIGKILL)
		}
	}
	return err
}

// rankProcess is a rank that launch has started.
type rankProcess struct {
	*exec.Cmd
	rank   int
	place  ranks.Place
	events sync.WaitGroup // that it tells its shares
}

func (r *rankProcess) signalled() bool {
	return r.ProcessState.Sys().(syscall.WaitStatus).Signaled()
}

// failed returns how the rank failed, or nil if it has succeeded.
func (r *rankProcess) failed() error {
	switch {
	case r.ProcessState.Success():
		return nil
	case r.signalled():
		return &failedRank{r.rank, 128 + int(r.ProcessState.Sys().(syscall.WaitStatus).Signal())}
	default:
		return &failedRank{r.rank, r.ProcessState.ExitCode()}
	}
}

// startRanks starts the ranks. With an error it returns those that were started. Stdout is
// for the output of other ranks than 0, if it is to be seen.
func startRanks(size int, stdout, stderr io.Writer) (all []*rankProcess, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, &runFailed{error: err}
	}
	port, err := freePort()
	if err != nil {
		return nil, &runFailed{error: err}
	}
	together := sharesOn(stdout, size)
	runtime.LockOSThread() // it has to live as long as the ranks: Pdeathsig is sent when it ends
	for rank := range size {
		r := &rankProcess{Cmd: exec.Command(program), rank: rank, place: ranks.Place{Rank: rank, Size: size, Host: thisHost, Port: port}}
		r.Args, r.Env = os.Args, append(os.Environ(), rankEnv(rank, size, port)...)
		// a terminal's signals reach the ranks from here only: a second one would end them at once
		r.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
		r.Stderr = &rankLines{to: stderr, rank: rank}
		if stdout != nil {
			r.Stdout = &rankLines{to: stdout, rank: rank}
		}
		if rank == 0 && together == nil {
			r.Stdin, r.Stdout, r.Stderr = os.Stdin, os.Stdout, os.Stderr
		}
		err := r.startShown(together)
		if err != nil {
			return all, &runFailed{error: fmt.Errorf("starting rank %d: %w", rank, err)}
		}
		all = append(all, r)
	}
	return all, nil
}

// thisHost is the address of the ranks' store.
const thisHost = "127.0.0.1"

// rankEnv returns torchrun's variables of a rank on this machine.
func rankEnv(rank, size, port int) []string {
	r, n := strconv.Itoa(rank), strconv.Itoa(size)
	return []string{"RANK=" + r, "LOCAL_RANK=" + r, "WORLD_SIZE=" + n, "LOCAL_WORLD_SIZE=" + n, "MASTER_ADDR=" + thisHost,
		"MASTER_PORT=" + strconv.Itoa(port), "TORCHELASTIC_RESTART_COUNT=0", "TORCHELASTIC_USE_AGENT_STORE=False"}
}

// freePort returns a port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", thisHost+":0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// heldLines keeps the errors of other ranks until rank 0, which may show the run live on the
// same terminal, has ended.
type heldLines struct {
	to io.Writer

	mu       sync.Mutex
	released bool
	lines    []byte
}

func (h *heldLines) Write(text []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.released {
		return h.to.Write(text)
	}
	h.lines = append(h.lines, text...)
	return len(text), nil
}

// release writes what was kept, and everything else at once.
func (h *heldLines) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.released {
		_, _ = h.to.Write(h.lines)
	}
	h.released = true
}

// rankLines writes whole lines with their rank in front, except for rank 0's and for messages
// that name it already.
type rankLines struct {
	to   io.Writer
	rank int
	part []byte // of the last line
}

// Write is called by one goroutine at a time.
func (l *rankLines) Write(text []byte) (int, error) {
	l.part = append(l.part, text...)
	for {
		end := bytes.IndexByte(l.part, '\n')
		if end < 0 {
			return len(text), nil
		}
		line := l.part[:end+1]
		if l.rank > 0 && !bytes.HasPrefix(line, []byte("fmsr: rank ")) {
			line = fmt.Appendf(nil, "rank %d: %s", l.rank, line)
		}
		_, _ = l.to.Write(line) // at once, since others write too; a reader that is gone ends nothing
		l.part = l.part[end+1:]
	}
}
