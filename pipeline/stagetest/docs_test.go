package stagetest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLibraryPage: each block of Go code in docs/library.md is part of a file of examples/stage,
// whose tests compile it.
func TestLibraryPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/library.md")
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("../../examples/stage/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var code []string
	for _, path := range paths {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, string(src))
	}
	all := strings.Join(code, "")
	blocks := strings.Split(string(page), "```go\n")[1:]
	if len(blocks) < 5 || len(code) < 5 {
		t.Fatalf("%d blocks, %d files", len(blocks), len(code))
	}
	for _, b := range blocks {
		if b, _, _ = strings.Cut(b, "```"); !strings.Contains(all, b) {
			t.Errorf("no file of examples/stage has\n%s", b)
		}
	}
}
