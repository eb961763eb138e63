// Package hostmem finds out how much memory a process can still get on Linux.
package hostmem

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// Left returns, in bytes, how much memory this process can still get.
func Left() int64 { return Available(os.DirFS("/")) }

// Lack is the error of work that needs more memory than is left. What names the work
// and Advice says how it would need less.
type Lack struct {
	What, Advice string
	Need         float64 // bytes
	Left         int64   // bytes
}

func (l *Lack) Error() string {
	return fmt.Sprintf("%s would take about %.1f GB, and %.1f GB of memory are left: %s", l.What, l.Need/1e9, float64(l.Left)/1e9, l.Advice)
}

// Available returns, in bytes, the smallest of the machine's free memory
// (MemAvailable) and the memory that is left under the limits of the process's
// control groups, or MaxInt64 if neither is known. root is the file system,
// os.DirFS("/").
func Available(root fs.FS) int64 {
	least := int64(math.MaxInt64)
	if kB, ok := table(root, "proc/meminfo")["MemAvailable:"]; ok {
		least = kB << 10
	}
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for _, line := range strings.Split(string(groups), "\n") {
		parts := strings.SplitN(line, ":", 3) // number:controllers:/path
		if len(parts) < 3 {
			continue
		}
		switch parts[1] {
		case "":
			least = min(least, left(root, "sys/fs/cgroup", parts[2], "memory.max", "memory.current"))
		case "memory":
			least = min(least, left(root, "sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes"))
		}
	}
	return least
}

// left returns the memory that is left under the limits of a group and of the groups
// above it. The kernel counts the page cache of files as used, but gives it up when
// memory is needed, so left counts it as free.
func left(root fs.FS, base, group, limitFile, usedFile string) int64 {
	least := int64(math.MaxInt64)
	for dir := path.Join("/", group); ; dir = path.Dir(dir) {
		folder := path.Join(base, dir)
		limit, limited := number(root, path.Join(folder, limitFile))
		used, known := number(root, path.Join(folder, usedFile))
		if limited && known {
			stat := table(root, path.Join(folder, "memory.stat"))
			cache := stat["active_file"] + stat["inactive_file"]
			least = min(least, max(0, limit-max(0, used-cache)))
		}
		if dir == "/" {
			return least
		}
	}
}

// number reads a file that holds one number. "max", as in a group without a limit,
// is no number.
func number(root fs.FS, name string) (int64, bool) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// table reads a file of lines that begin with a name and a number.
func table(root fs.FS, name string) map[string]int64 {
	text, _ := fs.ReadFile(root, name)
	values := map[string]int64{}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) >= 2 {
			if n, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				values[f[0]] = n
			}
		}
	}
	return values
}

// Resident returns, in bytes, how much memory this process has now; 0: not known.
func Resident() int64 {
	kB := table(os.DirFS("/"), "proc/self/status")["VmRSS:"]
	return kB << 10
}
