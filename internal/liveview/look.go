package liveview

import (
	"strings"

	"charm.land/bubbles/v2/progress"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// look is how text is shown. Colours are of the terminal's own palette, so that they suit
// light and dark ones; the renderer leaves them out where NO_COLOR is set.
type look struct{ bars progress.Model }

func newLook() look {
	bars := progress.New(progress.WithoutPercentage(), progress.WithColors(lipgloss.Cyan), progress.WithFillCharacters('━', '─'))
	bars.EmptyColor = lipgloss.BrightBlack
	return look{bars}
}

var (
	titled = lipgloss.NewStyle().Bold(true)
	faint  = lipgloss.NewStyle().Faint(true)
	sparks = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
	warned = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
)

func (look) title(text string) string      { return titled.Render(text) }
func (look) faint(text string) string      { return faint.Render(text) }
func (look) spark(values []float64) string { return sparks.Render(sparkline(values)) }
func (look) width(text string) int         { return lipgloss.Width(text) }

// bar returns a bar of so many columns, filled to a share.
func (l look) bar(share float64, width int) string {
	l.bars.SetWidth(max(1, width))
	return l.bars.ViewAs(share)
}

// cut cuts a line that is too wide.
func (look) cut(line string, width int) string {
	return ansi.Truncate(line, width, "")
}

// ends returns a line with one text at its left end and, where there is room, one at its right end.
func (l look) ends(left, right string, width int) string {
	gap := width - l.width(left) - l.width(right)
	if gap < 2 {
		return left
	}
	return left + strings.Repeat(" ", gap) + right
}

// fit returns the items in a line, as many as there is room for.
func (l look) fit(width int, items ...string) string {
	line := items[0]
	for _, item := range items[1:] {
		if l.width(line)+3+l.width(item) > width {
			break
		}
		line += "   " + item
	}
	return line
}

// wrap breaks a text between words.
func (look) wrap(text string, width int) string { return lipgloss.Wrap(text, width, "") }
