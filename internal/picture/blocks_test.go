package picture

import (
	"image/color"
	"strings"
	"testing"
)

// TestBlocks: rows from the top down, two a line, in the colours of the map's ends.
func TestBlocks(t *testing.T) {
	f := Field{H: 3, W: 2, Data: []float32{0, 0, 0, 1, 1, 0}} // row 0 is at the bottom
	low, high := "2;68;1;84m", "2;253;231;37m"
	want := "\x1b[38;" + high + "\x1b[48;" + low + "▀\x1b[38;" + low + "\x1b[48;" + high + "▀\x1b[0m\n" +
		"\x1b[38;" + low + "▀\x1b[38;" + low + "▀\x1b[0m\n"
	got, err := Blocks(f, 80, false, true)
	if err != nil || got != want {
		t.Errorf("%v\n%q\nwant\n%q", err, got, want)
	}
	// 6 x 4 cells in 2 columns: means of 2 x 2 cells; blue, white and red are -1, 0 and 1
	wide := Field{H: 6, W: 4, Data: make([]float32, 24)}
	wide.Data[0], wide.Data[1], wide.Data[4], wide.Data[5] = -1, -1, -1, -1
	got, err = Blocks(wide, 2, true, false)
	if lines := strings.Split(got, "\n"); err != nil || len(lines) != 3 || lines[1] != "\x1b[38;5;23m▀\x1b[38;5;231m▀\x1b[0m" {
		t.Errorf("%v\n%q", err, got)
	}
	if _, err := Blocks(Field{H: 2, W: 2}, 80, false, true); err == nil {
		t.Error("no values are drawn")
	}
}

// TestIndexed: the cube's own colours are themselves, and others the nearest of them.
func TestIndexed(t *testing.T) {
	for c, want := range map[color.RGBA]string{{0, 0, 0, 255}: "5;16", {255, 255, 255, 255}: "5;231", {95, 135, 175, 255}: "5;67", {215, 47, 48, 255}: "5;161", {114, 116, 234, 255}: "5;68", {0, 0, 236, 255}: "5;21"} {
		if got := indexed(c); got != want {
			t.Errorf("%v: %s, want %s", c, got, want)
		}
	}
}
