package atomicfile

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Room returns an error unless so many bytes are free on dir's disk.
func Room(dir string, bytes int64) error {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if free := int64(disk.Bavail) * disk.Bsize; free < bytes {
		return fmt.Errorf("%s: %s free, %s needed", dir, Size(free), Size(bytes))
	}
	return nil
}

// Size returns a number of bytes for people to read: "1.5 GB".
func Size(bytes int64) string {
	for _, unit := range []struct {
		name string
		is   float64
	}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if float64(bytes) >= unit.is {
			return fmt.Sprintf("%.3g %s", float64(bytes)/unit.is, unit.name)
		}
	}
	return fmt.Sprintf("%d B", bytes)
}
