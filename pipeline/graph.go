package pipeline

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"reflect"
	"strings"

	"fmsr.example/fmsr/internal/terminal"
	"fmsr.example/fmsr/pipeline/spec"
)

// WriteGraph draws a flow as text: each stage with the keys that are not its defaults, and
// between two stages what flows there.
//
//	npy_load       root data, set mri128_nu3e-5
//	  |  stored (channels-last) frames
//	channel_select channels Bx
func (s *Spec) WriteGraph(w io.Writer) {
	for i, n := range s.Flow {
		fmt.Fprintln(w, n.Name)
		for _, line := range terminal.Wrap(n.changed(), terminal.Width-6) {
			fmt.Fprintf(w, "  |   %s\n", line)
		}
		if i+1 < len(s.Flow) {
			fmt.Fprintf(w, "  v   %s\n", n.sends())
		}
	}
}

// sends names what a stage sends on.
func (n Node) sends() string {
	switch more := n.Traits &^ Steps; {
	case n.Traits == 0:
		return "frames"
	case n.Traits&Steps != 0 && more != 0:
		return more.String() + " training steps"
	}
	return n.Traits.elements()
}

// changed lists the stage's keys that are not its defaults.
func (n Node) changed() string {
	usual := map[string]string{}
	spec.EachKey(n.Decl.Config(), func(key string, _ spec.Field, x reflect.Value) { usual[key] = fmt.Sprint(x) })
	var keys []string
	spec.EachKey(n.Config, func(key string, _ spec.Field, x reflect.Value) {
		if text := fmt.Sprint(x); text != usual[key] {
			keys = append(keys, key+" "+strings.NewReplacer("[", "", "]", "", "map", "").Replace(text))
		}
	})
	return strings.Join(keys, ", ")
}

// Sizes of the drawing, in pixels. A character of a monospaced font of 13 is 7.8 wide.
const (
	graphWidth   = 640
	graphColumns = 76 // of text in a box
	graphLine    = 18
	graphPad     = 10
	graphGap     = 34
)

// GraphSVG draws the same as an SVG file.
func (s *Spec) GraphSVG() []byte {
	var body bytes.Buffer
	text := func(x, y float64, style, line string) {
		fmt.Fprintf(&body, `<text x="%g" y="%g" %s>`, x, y, style)
		_ = xml.EscapeText(&body, []byte(line)) // a buffer takes everything
		body.WriteString("</text>\n")
	}
	y := float64(graphPad)
	for i, n := range s.Flow {
		lines := terminal.Wrap(n.changed(), graphColumns)
		height := float64(graphLine*(1+len(lines)) + graphPad)
		fmt.Fprintf(&body, `<rect x="%d" y="%g" width="%d" height="%g" rx="6" fill="#f4f6f8" stroke="#44546a"/>`+"\n", graphPad, y, graphWidth-2*graphPad, height)
		text(2*graphPad, y+graphLine, `font-weight="bold"`, n.Name)
		for j, line := range lines {
			text(2*graphPad, y+float64(graphLine*(j+2)), `fill="#444"`, line)
		}
		y += height
		if i+1 < len(s.Flow) {
			x := 4 * graphPad
			fmt.Fprintf(&body, `<path d="M%d %g v%d m-4 -7 l4 7 l4 -7" fill="none" stroke="#44546a"/>`+"\n", x, y, graphGap)
			text(float64(x+2*graphPad), y+graphGap/2+4, `fill="#44546a" font-size="12"`, n.sends())
			y += graphGap
		}
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%g" font-family="monospace" font-size="13">`+"\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n", graphWidth, y+graphPad)
	out.Write(body.Bytes())
	out.WriteString("</svg>\n")
	return out.Bytes()
}
