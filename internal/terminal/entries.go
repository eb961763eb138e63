package terminal

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Width is the number of columns that help takes.
const Width = 80

// Entry is a name and what it means.
type Entry struct{ Name, Text string }

// widestName is the widest name that has its text on the same line.
const widestName = 26

// Entries writes names and their texts in two columns, the texts wrapped at Width. A name
// that is too long for its column has a line of its own.
func Entries(w io.Writer, entries []Entry) {
	column := 0
	for _, e := range entries {
		if n := utf8.RuneCountInString(e.Name); n <= widestName {
			column = max(column, n)
		}
	}
	if column == 0 {
		column = 6
	}
	indent := strings.Repeat(" ", column+4)
	for _, e := range entries {
		lines := Wrap(e.Text, Width-len(indent))
		name := "  " + e.Name
		if pad := len(indent) - utf8.RuneCountInString(name); pad >= 2 && len(lines) > 0 {
			name += strings.Repeat(" ", pad) + lines[0]
			lines = lines[1:]
		}
		fmt.Fprintln(w, strings.TrimRight(name, " "))
		for _, line := range lines {
			fmt.Fprintln(w, indent+line)
		}
	}
}

// Wrap returns a text in lines of at most width columns. A longer word has a line of its own.
func Wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// Fill returns a text with its lines filled up to Width columns. Lines that start with a tab,
// pictures and code, stay as they are. Lines that start with spaces and a name are wrapped
// below the text beside the name.
//
//	name   its text, which
//	       goes on here
func Fill(text string) string {
	var out, words []string
	flush := func() {
		out = append(out, Wrap(strings.Join(words, " "), Width)...)
		words = nil
	}
	for _, line := range strings.Split(text, "\n") {
		switch {
		case strings.TrimSpace(line) == "" || line[0] == '\t':
			flush()
			out = append(out, line)
		case line[0] == ' ':
			flush()
			out = append(out, hang(line)...)
		default:
			words = append(words, line)
		}
	}
	flush()
	return strings.Join(out, "\n")
}

// hang wraps an indented line below its last column of text.
func hang(line string) []string {
	if utf8.RuneCountInString(line) <= Width {
		return []string{line}
	}
	column := len(line) - len(strings.TrimLeft(line, " "))
	if gap := strings.Index(line[column:], "  "); gap >= 0 {
		column += gap + len(line[column+gap:]) - len(strings.TrimLeft(line[column+gap:], " "))
	}
	lines := Wrap(line[column:], Width-column)
	for i := range lines {
		head := strings.Repeat(" ", column)
		if i == 0 {
			head = line[:column]
		}
		lines[i] = head + lines[i]
	}
	return lines
}
