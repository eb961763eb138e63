package torchx

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestNativeBuild runs native.sh with a compiler that copies the source's name. The
// script succeeds if every object is there, fails if one is not, and compiles only what
// is missing.
func TestNativeBuild(t *testing.T) {
	linked, err := os.ReadFile("zz_native.go")
	if err != nil {
		t.Fatal(err)
	}
	torch := regexp.MustCompile(`cgo ` + runtime.GOARCH + ` LDFLAGS.*rpath,(\S+)/lib `).FindSubmatch(linked)
	dir := t.TempDir()
	here := filepath.Join(dir, "internal", "torchx")
	for from, to := range map[string]string{"csrc": "csrc", "native.sh": "native.sh", "torch.sh": "torch.sh", "../../go.mod": "../../go.mod", "../../go.sum": "../../go.sum"} {
		if err := os.MkdirAll(here, 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("cp", "-r", from, filepath.Join(here, to)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	compiler := `#!/bin/sh
[ "$1" = --version ] && { echo stub; exit; }
case "$*" in *"$FAILS"*) exit 1;; esac
while [ "$1" != -o ]; do shift; done
echo object >"$2"
`
	if err := os.WriteFile(filepath.Join(dir, "g++"), []byte(compiler), 0o755); err != nil {
		t.Fatal(err)
	}
	build := func(fails string) (string, error) {
		cmd := exec.Command(filepath.Join(here, "native.sh"))
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "LIBTORCH="+string(torch[1]), "FAILS="+fails)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := build("winograd_kernel.cc")
	if err == nil || !strings.Contains(out, "C++ did not compile") {
		t.Errorf("one file fails: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(here, "zz_native.go")); err == nil {
		t.Error("zz_native.go is there without an object")
	}
	if out, err = build("no such file"); err != nil || strings.Count(out, "compiling ") != 1 || !strings.Contains(out, "compiled winograd_kernel.cc") {
		t.Errorf("the rest of the build: %v\n%s", err, out)
	}
	if out, err = build("no such file"); err != nil || out != "" {
		t.Errorf("nothing to do: %v\n%s", err, out)
	}
}

// TestLibtorch: the version is the one that torch.sh fetches.
func TestLibtorch(t *testing.T) {
	script, err := os.ReadFile("torch.sh")
	if err != nil || !strings.Contains(string(script), "\nwant="+Libtorch+"\n") {
		t.Errorf("torch.sh does not want libtorch %s: %v", Libtorch, err)
	}
}
