package atomicfile

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Room is an error unless so many bytes are free where dir is.
func Room(dir string, bytes int64) error {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if free := int64(disk.Bavail) * disk.Bsize; free < bytes {
		return fmt.Errorf("%s: %.2f GB free, %.2f GB needed", dir, float64(free)/1e9, float64(bytes)/1e9)
	}
	return nil
}
