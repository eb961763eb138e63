package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestSpec runs the spec: its data set has the new field.
func TestSpec(t *testing.T) {
	dir := t.TempDir()
	if err := run(context.Background(), []string{"../vorticity.yaml", "--out", dir}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Channels []string `json:"channel_names"`
	}
	if err := json.Unmarshal(data, &manifest); err != nil || !slices.Equal(manifest.Channels, []string{"velx", "vely", "vortz"}) {
		t.Errorf("%v: the fields are %v", err, manifest.Channels)
	}
}
