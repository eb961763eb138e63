// Package somerun writes the folders of made-up training runs, for tests of what reads them.
// Their fields are random, their samples the truth with noise.
package somerun

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/synth"
	"fmsr.example/fmsr/internal/testkit/golden"
)

// Config describes a run.
type Config struct {
	Name        string
	Side        int // of the fields
	Fields      []string
	Frames      int
	Lines       int // of the log
	Evaluations int // evenly spaced over them
	Total       int // steps; more than 10 Lines: the run has stopped before its end
	LR          float64
}

// All is the eight fields.
var All = []string{"density", "velx", "vely", "velz", "Bx", "By", "Bz", "jz"}

// Write writes the folder of a run, whose lines are ten steps apart.
func Write(dir string, c Config) error {
	if c.Total == 0 {
		c.Total = 10 * c.Lines
	}
	var list bytes.Buffer
	for i, f := range c.Fields {
		if i > 0 {
			list.WriteString(", ")
		}
		fmt.Fprintf(&list, "%q", f)
	}
	spec := fmt.Sprintf("version: 1\nrun:\n  name: %q\n  seed: 1\nflow:\n  - channel_select:\n      channels: [%s]\n  - batch:\n      size: 4\n  - train:\n      lr: %g\n      total_steps: %d\n  - metrics:\n", c.Name, list.String(), c.LR, c.Total)
	about, err := json.Marshal(runview.About{
		Version: "test", Host: "here", CPU: "a processor", Cores: 2, Device: "cpu", Threads: 2, Ranks: 1, Libtorch: "2.11.0", Fields: c.Fields,
		Grid: field.Grid{H: c.Side, W: c.Side}.String(), Frames: map[string]int{"train": 16, "val": 8}, Factor: 2, Batch: 4,
	})
	if err != nil {
		return err
	}
	var metrics, timing bytes.Buffer
	for i := 1; i <= c.Lines; i++ {
		loss := 1 + 9*math.Exp(-float64(i)/float64(c.Lines)*5) + 0.2*golden.N(7, uint64(i))
		fmt.Fprintf(&metrics, `{"step":%d,"train/loss":%.6g,"train/grad_norm":%.6g,"train/lr":%g,"train/clipped":0,"train/skipped":0`, 10*i, math.Abs(loss), 10+math.Abs(loss), c.LR)
		fmt.Fprintf(&timing, `{"step":%d,"frames_per_s":12.5`, 10*i)
		if c.Evaluations > 0 && i%(c.Lines/c.Evaluations) == 0 {
			r, err := evaluation(dir, c, 10*i)
			if err != nil {
				return err
			}
			for _, s := range r.Sources {
				for j, m := range r.Metrics {
					if v := s.All[j]; evaluate.Figure(v).Finite() && m.Name != "of_bilinear" {
						fmt.Fprintf(&metrics, `,"val/%s%s":%.6g`, m.Name, s.Suffix, v)
					}
				}
			}
			timing.WriteString(`,"eval_s":3.25`)
		}
		metrics.WriteString("}\n")
		timing.WriteString("}\n")
	}
	for name, text := range map[string][]byte{
		runview.SpecName: []byte(spec), runview.AboutName: about, runview.MetricsName: metrics.Bytes(), runview.TimingName: timing.Bytes(),
	} {
		if err := write(dir, name, text); err != nil {
			return err
		}
	}
	return nil
}

func write(dir, name string, data []byte) error {
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o666)
}

// evaluation writes the record and the tiles of a step.
func evaluation(dir string, c Config, step int) (*evaluate.Record, error) {
	grid := field.Grid{H: c.Side, W: c.Side}
	e := evaluate.New(evaluate.Standard, c.Fields, grid, 2, kernels(grid))
	truth, low := frames(c, grid)
	made := make([]float32, len(truth))
	noise := 0.2 + 0.8*math.Exp(-3*float64(step)/float64(10*c.Lines))
	for i := range made {
		made[i] = low[i] + float32(1-noise/2)*(truth[i]-low[i]) + float32(noise*golden.N(uint64(step), uint64(i)))*(truth[i]-low[i])
	}
	filtered := make([]float32, len(truth))
	for i := range filtered {
		filtered[i] = low[i] + 0.4*(truth[i]-low[i])
	}
	var labels []string
	for i := range c.Frames {
		labels = append(labels, fmt.Sprintf("seed 2, frame %d", i))
	}
	if err := e.Start(labels, truth); err != nil {
		return nil, err
	}
	for src, values := range map[evaluate.Source][]float32{evaluate.Bilinear: low, evaluate.Linear: filtered, evaluate.ODE: made, evaluate.ODEEMA: made} {
		if err := e.Add(src, values); err != nil {
			return nil, err
		}
	}
	record := e.Record(func(string) string { return "code units" })
	record.Step, record.Of, record.Split = step, 8, "validation"
	data, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	if err := write(dir, fmt.Sprintf("%s/%d.json", runview.Evaluations, step), data); err != nil {
		return nil, err
	}
	tiles, err := e.Tiles()
	if err != nil {
		return nil, err
	}
	for _, t := range tiles {
		if err := write(dir, fmt.Sprintf("%s/%s/%d.png", runview.Images, t.Name, step), t.PNG); err != nil {
			return nil, err
		}
	}
	return record, nil
}

// frames returns the truth and the bilinear input, (N,C,H,W).
func frames(c Config, grid field.Grid) (truth, low []float32) {
	seed := synth.New(c.Side, c.Side, 5./3).Seed(1)
	frame := make([]float32, grid.Cells()*synth.Channels)
	coarse := make([]float32, grid.Coarser(2).Cells())
	up := field.NewUpsampler(grid.Coarser(2), 2, true)
	for n := range c.Frames {
		seed.Frame(frame, n)
		for i := range c.Fields {
			plane, below := make([]float32, grid.Cells()), make([]float32, grid.Cells())
			for j := range plane {
				plane[j] = frame[j*synth.Channels+i%synth.Channels]
			}
			field.Pool(coarse, plane, grid, 2)
			up.Plane(below, coarse)
			truth, low = append(truth, plane...), append(low, below...)
		}
	}
	return truth, low
}

// kernels are those of package evaluate, plain.
func kernels(grid field.Grid) evaluate.Kernels {
	coarse := grid.Coarser(2)
	fine, lower := spectra{field.NewFourier(grid), field.NewShells(grid).Apart(2)}, spectra{field.NewFourier(coarse), field.NewShells(coarse)}
	pooled := make([]float32, coarse.Cells())
	return evaluate.Kernels{
		Power: func(p, low [][]float64, lost []float64, planes []float32) error {
			for i := range p {
				plane := planes[i*grid.Cells():][:grid.Cells()]
				for k, v := range fine.of(plane) {
					p[i][k%len(p[i])] += v
					if k >= len(p[i]) {
						lost[i] += v
					}
				}
				if low != nil {
					field.Pool(pooled, plane, grid, 2)
					for k, v := range lower.of(pooled) {
						low[i][k] += v
					}
				}
			}
			return nil
		},
		Moments: func(plane []float32) (w field.Welford) {
			for _, v := range plane {
				w.Merge(field.Welford{Count: 1, Mean: float64(v)})
			}
			return w
		},
	}
}

type spectra struct {
	*field.Fourier
	shells *field.Shells
}

func (s spectra) of(plane []float32) []float64 {
	modes := s.Forward(plane)
	power := make([]float32, len(modes))
	for i, m := range modes {
		power[i] = float32(real(m)*real(m) + imag(m)*imag(m))
	}
	return s.shells.Sum(power)
}
