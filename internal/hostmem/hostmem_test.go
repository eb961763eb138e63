package hostmem

import (
	"math"
	"os"
	"testing"
	"testing/fstest"
)

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestAvailable(t *testing.T) {
	meminfo := file("MemTotal: 16000 kB\nMemAvailable:    8000 kB\n")
	for name, c := range map[string]struct {
		root fstest.MapFS
		want int64
	}{
		"nothing says": {fstest.MapFS{}, math.MaxInt64},
		"no group":     {fstest.MapFS{"proc/meminfo": meminfo}, 8000 << 10},
		"a group without a limit": {fstest.MapFS{"proc/meminfo": meminfo, "proc/self/cgroup": file("0::/a\n"),
			"sys/fs/cgroup/a/memory.max": file("max\n"), "sys/fs/cgroup/a/memory.current": file("5\n")}, 8000 << 10},
		"a limit above the group, cache not counted": {fstest.MapFS{"proc/meminfo": meminfo, "proc/self/cgroup": file("0::/a/b\n"),
			"sys/fs/cgroup/a/memory.max": file("9000\n"), "sys/fs/cgroup/a/memory.current": file("5000\n"),
			"sys/fs/cgroup/a/memory.stat": file("anon 1000\nactive_file 1500\ninactive_file 2500\n")}, 8000},
		"version 1, its path not mounted": {fstest.MapFS{"proc/meminfo": meminfo, "proc/self/cgroup": file("4:memory:/pod/x\n3:cpu:/y\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("6000"), "sys/fs/cgroup/memory/memory.usage_in_bytes": file("7000")}, 0},
		"more than the machine has": {fstest.MapFS{"proc/meminfo": meminfo, "proc/self/cgroup": file("0::/\n"),
			"sys/fs/cgroup/memory.max": file("9000000000\n"), "sys/fs/cgroup/memory.current": file("5\n")}, 8000 << 10},
	} {
		if got := Available(c.root); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if here := Available(os.DirFS("/")); here <= 0 || here == math.MaxInt64 {
		t.Errorf("here: %d", here)
	}
}
