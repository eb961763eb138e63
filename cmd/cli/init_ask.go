package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"fmsr.example/fmsr/internal/newspec"
	"fmsr.example/fmsr/internal/terminal"
	"fmsr.example/fmsr/internal/words"
)

// questions asks a person on a terminal; nil: nobody is there.
type questions struct {
	out   io.Writer
	lines chan string // closed at the end of the input
}

// newQuestions returns nil unless both are a terminal.
func newQuestions(in io.Reader, out io.Writer) *questions {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || terminal.Screen(out) == nil {
		return nil
	}
	q := &questions{out: out, lines: make(chan string)}
	go func() { // reading a terminal cannot be stopped; the program ends before it
		defer close(q.lines)
		for s := bufio.NewScanner(f); s.Scan(); {
			q.lines <- strings.TrimSpace(s.Text())
		}
	}()
	return q
}

// ask asks until take accepts the answer. An empty one is the usual answer.
func (q *questions) ask(ctx context.Context, question, usual string, take func(answer string) error) error {
	for {
		fmt.Fprintf(q.out, "%s [%s]: ", question, usual)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case answer, ok := <-q.lines:
			if !ok || answer == "" {
				return nil
			}
			err := take(answer)
			if err == nil {
				return nil
			}
			fmt.Fprintln(q.out, err)
		}
	}
}

// about asks what files cannot say: the names of fields, the boundaries, the box.
func (q *questions) about(ctx context.Context, d newspec.Data, c *newspec.Choices) error {
	if q == nil {
		return nil
	}
	if !d.Named {
		if err := q.ask(ctx, fmt.Sprintf("names of the %s, in their order", words.Count(len(d.Fields), "field")), strings.Join(d.Fields, ","), c.SetNames); err != nil {
			return err
		}
	}
	if !d.Bounded() {
		boundaries := strings.Join(c.Boundary[:], ",")
		if err := q.ask(ctx, "boundaries along y and x, periodic or open ("+c.BoundaryNote+")", boundaries, func(answer string) error { return setBoundary(c, answer) }); err != nil {
			return err
		}
	}
	if d.Boxed() {
		return nil
	}
	return q.ask(ctx, "height and width of the domain, as 1,1", "square cells", func(answer string) error { return setBox(c, answer) })
}

func setBoundary(c *newspec.Choices, answer string) error {
	words := pieces(answer)
	if len(words) == 1 {
		words = append(words, words[0])
	}
	for _, word := range words {
		if word != "periodic" && word != "open" || len(words) != 2 {
			return fmt.Errorf("%q: want periodic or open, for y and for x", answer)
		}
	}
	c.Boundary, c.BoundaryNote = [2]string(words), "as you said"
	return nil
}

func setBox(c *newspec.Choices, answer string) error {
	var box []float64
	for _, word := range pieces(answer) {
		v, err := strconv.ParseFloat(word, 64)
		if err != nil || !(v > 0) {
			return fmt.Errorf("%q: want two positive numbers", answer)
		}
		box = append(box, v)
	}
	if len(box) != 2 {
		return fmt.Errorf("%q: want two numbers, the height and the width", answer)
	}
	c.Box = box
	return nil
}

// pieces splits an answer at commas and blanks.
func pieces(answer string) []string {
	return strings.FieldsFunc(answer, func(r rune) bool { return r == ',' || r == ' ' })
}
