// Command solverplot draws the table of interop/solvers.py: error and power of a sample
// against its processor time, a curve for each solver.
//
//	solverplot TABLE.csv FIGURE.svg
package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strconv"

	"fmsr.example/fmsr/internal/picture"
	"fmsr.example/fmsr/internal/store/atomicfile"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "solverplot:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want TABLE.csv FIGURE.svg, got %d arguments", len(args))
	}
	table, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil || len(rows) < 3 {
		return fmt.Errorf("%s: %d rows: %w", args[0], len(rows), err)
	}
	const time = "processor seconds a sample"
	errors, err := curves(rows, "error")
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	power, err := curves(rows, "power")
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	figure := picture.Plots{Stacks: []picture.Stack{{
		{XLabel: time, YLabel: "difference from the ODE's solution", Curves: errors},
		{XLabel: time, YLabel: "power / truth", Curves: power, LinearY: true},
	}}}
	var out bytes.Buffer
	if err := picture.Write(&out, figure, picture.SVG, picture.Light); err != nil {
		return err
	}
	return atomicfile.WriteFile(args[1], out.Bytes())
}

// curves returns a column against the time, of each solver. The last row is the reference.
func curves(rows [][]string, of string) (all []picture.Curve, err error) {
	column := func(name string) int { return slices.Index(rows[0], name) }
	solver, seconds, value := column("solver"), column("seconds"), column(of)
	if solver < 0 || seconds < 0 || value < 0 {
		return nil, fmt.Errorf("no columns solver, seconds and %s in %q", of, rows[0])
	}
	for _, row := range rows[1 : len(rows)-1] {
		x, errX := strconv.ParseFloat(row[seconds], 64)
		y, errY := strconv.ParseFloat(row[value], 64)
		if errX != nil || errY != nil {
			return nil, fmt.Errorf("row %q: not numbers", row)
		}
		if len(all) == 0 || all[len(all)-1].Label != row[solver] {
			all = append(all, picture.Curve{Label: row[solver], Of: row[solver]})
		}
		c := &all[len(all)-1]
		c.X, c.Y = append(c.X, x), append(c.Y, y)
	}
	return all, nil
}
