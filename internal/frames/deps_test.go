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
	"fmsr/cmd/fmsr",
	"fmsr/internal/field/plan",
	"fmsr/internal/ranks/dist",
	"fmsr/internal/torchx",
	"fmsr/model",
	"fmsr/sinks",
	"fmsr/stages",
}

func TestWhichPackagesNeedLibtorch(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go tool to list the packages with")
	}
	out, err := exec.Command(tool, "list", "-f", `{{.ImportPath}} {{join .Deps " "}}`, "fmsr/...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	found := false
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if words[0] != "fmsr/internal/torchx" && !slices.Contains(words[1:], "fmsr/internal/torchx") {
			continue
		}
		found = true
		if !slices.Contains(needTorch, words[0]) {
			t.Errorf("%s depends on fmsr/internal/torchx: move what needs libtorch elsewhere, or add the package to this list", words[0])
		}
	}
	if !found {
		t.Error("not even fmsr/internal/torchx was found")
	}
}
