package frames_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// needTorch lists the packages that may depend on libtorch. All others build and
// test without it.
var needTorch = []string{
	"fmsr.example/fmsr/cmd/cli",
	"fmsr.example/fmsr/cmd/fmsr",
	"fmsr.example/fmsr/internal/field/plan",
	"fmsr.example/fmsr/internal/ranks/dist",
	"fmsr.example/fmsr/internal/torchx",
	"fmsr.example/fmsr/model",
	"fmsr.example/fmsr/sinks",
	"fmsr.example/fmsr/stages",
}

func TestWhichPackagesNeedLibtorch(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go tool to list the packages with")
	}
	out, err := exec.Command(tool, "list", "-f", `{{.ImportPath}} {{join .Deps " "}}`, "fmsr.example/fmsr/...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	found := false
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if words[0] != "fmsr.example/fmsr/internal/torchx" && !slices.Contains(words[1:], "fmsr.example/fmsr/internal/torchx") {
			continue
		}
		found = true
		if !slices.Contains(needTorch, words[0]) {
			t.Errorf("%s depends on fmsr.example/fmsr/internal/torchx: move what needs libtorch elsewhere, or add the package to this list", words[0])
		}
	}
	if !found {
		t.Error("not even fmsr.example/fmsr/internal/torchx was found")
	}
}
