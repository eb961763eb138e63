package runfolder

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Holder returns the process that uses a folder, "pid 4711 on HOST", or nothing if none
// does. It writes nothing. Where the lock's file does not name a living process of this host,
// the lock is tried for a moment; a run that begins just then tries again.
func Holder(folder *os.Root) (string, error) {
	lock, err := folder.OpenFile(Lock, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if info, err := lock.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", err
	}
	h := holderOf(lock)
	if h.alive() {
		return h.String(), nil
	}
	err = flock(lock, unix.LOCK_SH)
	if err == nil {
		_ = unix.Flock(int(lock.Fd()), unix.LOCK_UN)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return h.String(), nil
	}
	return "", nil
}
