package runfolder

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how often, every 50 ms, a lock is tried: the run before may be ending.
const patience = 20

// acquire locks the folder.
func (f *Folder) acquire(shared bool) error {
	path, how := filepath.Join(f.dir, Lock), unix.LOCK_EX
	if shared {
		how = unix.LOCK_SH
	}
	for try := 0; ; {
		file, err := open(path, os.O_RDWR|os.O_CREATE)
		if err != nil {
			return err
		}
		err = flock(file, how)
		holder := holderOf(file)
		switch {
		case errors.Is(err, unix.EWOULDBLOCK) || err != nil && !shared && holder.alive():
			file.Close()
			if try++; try == patience {
				return fmt.Errorf("it is in use by %s: wait for its end, or give another folder by --out", holder)
			}
			time.Sleep(50 * time.Millisecond)
		case !isAt(file, path): // its holder removed it at its end
			file.Close()
		default:
			f.lock = file
			me().write(file)
			return nil
		}
	}
}

// flock locks a file without waiting.
func flock(file *os.File, how int) error {
	for {
		if err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// isAt reports whether an open file is still the one at the path.
func isAt(file *os.File, path string) bool {
	mine, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}

// release removes the lock's file, unless other runs share the lock, and unlocks it.
func (f *Folder) release() {
	if f.folder != nil {
		f.folder.Close()
	}
	if f.lock == nil {
		return
	}
	if err := flock(f.lock, unix.LOCK_EX); !errors.Is(err, unix.EWOULDBLOCK) && isAt(f.lock, f.lock.Name()) {
		_ = os.Remove(f.lock.Name())
	}
	f.lock.Close()
}

// holder is a process that uses a folder. On a file system without locks, its being alive
// is the lock, for runs on one host.
type holder struct {
	pid   int
	host  string
	start string // when the process began, since pids are used again
}

func me() holder {
	host, _ := os.Hostname()
	return holder{os.Getpid(), host, startOf(os.Getpid())}
}

func (h holder) String() string {
	if h.pid == 0 {
		return "another run"
	}
	return fmt.Sprintf("pid %d on %s", h.pid, h.host)
}

func (h holder) alive() bool {
	host, _ := os.Hostname()
	return h.pid != 0 && h.pid != os.Getpid() && h.host == host && h.start != "" && h.start == startOf(h.pid)
}

// write writes the holder into the lock's file, unless that holds something else: it may be
// a file of the user's under a second name. It is for messages, so a full disk is no reason to fail.
func (h holder) write(file *os.File) {
	if info, err := file.Stat(); err != nil || info.Size() > 0 && holderOf(file).pid == 0 {
		return
	}
	_ = file.Truncate(0)
	_, _ = file.WriteAt(fmt.Appendf(nil, "%s started %s\n", h, h.start), 0)
}

// holderOf reads the holder from a lock's file; what is not there stays empty.
func holderOf(file *os.File) (h holder) {
	text, _ := io.ReadAll(io.NewSectionReader(file, 0, 1000))
	_, _ = fmt.Sscanf(string(text), "pid %d on %s started %s", &h.pid, &h.host, &h.start)
	return h
}

// startOf returns when a process began, in ticks since the host did; empty: it is not there.
func startOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the command's name may hold blanks
	if fields := strings.Fields(rest); len(fields) > 19 {
		return fields[19]
	}
	return ""
}
