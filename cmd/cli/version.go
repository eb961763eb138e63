package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sys/cpu"

	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/sinks"
)

func versionCommand(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of fmsr, libtorch, and what this machine has",
		Args:  cobra.NoArgs,
		Run:   func(*cobra.Command, []string) { printVersion(out) },
	}
}

// printVersion asks libtorch nothing: it reads what the system says of this process and machine.
func printVersion(out io.Writer) {
	fmt.Fprintln(out, "fmsr", version())
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "built with\t%s for %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(tw, "libtorch\t%s%s\n", torchx.Libtorch, libtorchFolder())
	fmt.Fprintf(tw, "cpu\t%s, %s: %s\n", sinks.Processor(), words.Count(runtime.NumCPU(), "core"), instructions())
	fmt.Fprintf(tw, "cpu kernels\t%s\n", kernels())
	fmt.Fprintf(tw, "devices\t%s\n", strings.Join(append([]string{"cpu"}, gpus()...), ", "))
	tw.Flush()
}

// libtorchFolder says where the libtorch is that this process has loaded, and whether it can
// use a GPU.
func libtorchFolder() string {
	maps, _ := os.ReadFile("/proc/self/maps") // without it, nothing is said
	for line := range strings.Lines(string(maps)) {
		at := strings.Index(line, "/")
		if at < 0 || !strings.HasSuffix(strings.TrimSpace(line), "/libtorch_cpu.so") {
			continue
		}
		dir := filepath.Dir(line[at:])
		if _, err := os.Stat(filepath.Join(dir, "libtorch_cuda.so")); err != nil {
			return " for the CPU, in " + dir
		}
		return " for CPU and CUDA, in " + dir
	}
	return ""
}

// instructions names those of the processor's instructions that fmsr's kernels are written for.
func instructions() string {
	var names []string
	for _, set := range []struct {
		name string
		has  bool
	}{
		{"AVX2", cpu.X86.HasAVX2},
		{"AVX-512", cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ},
		{"AVX-512 BF16", cpu.X86.HasAVX512BF16},
		{"AMX", cpu.X86.HasAMXBF16},
	} {
		if set.has {
			names = append(names, set.name)
		}
	}
	return strings.Join(names, ", ")
}

// kernels names the level of the CPU kernels that are used, and says who chose it.
func kernels() string {
	name := torchx.CPULevel().String()
	if os.Getenv(torchx.LevelVariable) != "" {
		name += ", as " + torchx.LevelVariable + " says"
	}
	if !torchx.CPU.HasBF16() {
		name += " (none for bf16)"
	}
	return name
}

// gpus returns the machine's NVIDIA GPUs by the driver's own list, "cuda:0 NVIDIA H200".
func gpus() (names []string) {
	const folder = "/proc/driver/nvidia/gpus"
	entries, _ := os.ReadDir(folder) // none without a driver
	for i, e := range entries {
		text, _ := os.ReadFile(filepath.Join(folder, e.Name(), "information"))
		model := ""
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, "Model:"); ok {
				model = " " + strings.TrimSpace(value)
			}
		}
		names = append(names, fmt.Sprintf("cuda:%d%s", i, model))
	}
	return names
}

// version returns the release that the binary was built from, or else its commit, or else the module's version.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	commit, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			commit = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	switch module := info.Main.Version; {
	case commit == "":
		return module
	case dirty == "" && strings.HasPrefix(module, "v") && !strings.Contains(module, commit): // of a tag; others end with the commit
		return module + " (" + commit + ")"
	}
	return commit + dirty
}
