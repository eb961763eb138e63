package model

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"fmsr/internal/field"
	"fmsr/internal/format/torchfile"
	"fmsr/internal/torchx"
)

// Loaded is a checkpoint that is open for reading.
type Loaded struct {
	Checkpoint
	Config Config // shape of the network, from the tensors' shapes
	Plan   Net    // the network of that shape, without tensors
	Flow   Flow
	TMin   float64 // times that the network was trained on; 0 to 1 if the file does not say
	TMax   float64
	Step   int

	path string
	file *torchfile.File
}

// OpenCheckpoint reads a checkpoint.pt without the weights, which Net reads. The five
// keys model_state_dict, ema_state_dict, stats, channel_names and step are enough:
// PyTorch may have written the file. Without ema_state_dict there is no average.
func OpenCheckpoint(path string) (*Loaded, error) {
	f, err := torchfile.Open(path)
	if err != nil {
		return nil, err
	}
	l := &Loaded{path: path, file: f}
	if err := l.read(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

// Close closes the file.
func (l *Loaded) Close() error { return l.file.Close() }

func (l *Loaded) read() error {
	root := l.file.Root
	list, ok := root.Get("channel_names").(*torchfile.Sequence)
	if !ok {
		return fmt.Errorf("channel_names is %s: want a list", torchfile.What(root.Get("channel_names")))
	}
	for _, item := range list.Items {
		name, ok := item.(string)
		if !ok {
			return fmt.Errorf("channel_names holds %s: want text", torchfile.What(item))
		}
		l.Channels = append(l.Channels, name)
	}
	if step, ok := root.Get("step").(int64); ok {
		l.Step = int(step)
	}
	if l.Step < 0 {
		return fmt.Errorf("step is %d", l.Step)
	}
	stats, ok := root.Get("stats").(*torchfile.Map)
	if !ok {
		return fmt.Errorf("stats is %s: want a dict", torchfile.What(root.Get("stats")))
	}
	l.Stats = &field.Stats{}
	for name, into := range map[string]*[]float64{"mean": &l.Stats.Mean, "std": &l.Stats.Std} {
		values, err := l.floats(stats, "stats", name)
		if err != nil {
			return err
		}
		if len(values) != len(l.Channels) {
			return fmt.Errorf("stats.%s has %d values for %d channels", name, len(values), len(l.Channels))
		}
		for i, v := range values {
			if math.IsNaN(v) || math.IsInf(v, 0) || name == "std" && v <= 0 {
				return fmt.Errorf("stats.%s of %s is %g", name, l.Channels[i], v)
			}
		}
		*into = values
	}
	l.Averaged = root.Get(emaKey) != nil
	if r, err := l.resumption(); err == nil && r.Step > 0 && r.Passed && !r.Averaged { // initial weights, of an older fmsr's flow without ema
		l.Averaged = false
	}
	state, err := l.state(rawKey)
	if err != nil {
		return err
	}
	if err := l.shape(state); err != nil {
		return err
	}
	if err := l.readInputs(); err != nil {
		return err
	}
	if err := l.readConfig(); err != nil {
		return err
	}
	l.Plan, err = Plan(l.Config)
	return err
}

// floats returns the values of a tensor in a dict.
func (l *Loaded) floats(dict *torchfile.Map, dictName, name string) ([]float64, error) {
	t, ok := dict.Get(name).(*torchfile.Stored)
	if !ok {
		return nil, fmt.Errorf("%s has no tensor %s", dictName, name)
	}
	return l.file.Doubles(t)
}

// readInputs reads the looks of the coarse training fields. A file of PyTorch has none,
// and a file of an older fmsr has others, which are ignored.
func (l *Loaded) readInputs() error {
	dict, ok := l.file.Root.Get("inputs").(*torchfile.Map)
	if !ok || dict.Get("low") == nil {
		return nil
	}
	n, _ := dict.Get("frames").(int64)
	in := &Inputs{Frames: int(n)}
	var err error
	if in.Std, err = l.floats(dict, "inputs", "std"); err != nil {
		return err
	}
	for name, into := range map[string]*[]Look{"low": &in.Low, "high": &in.High} {
		rows, err := l.floats(dict, "inputs", name)
		if err != nil {
			return err
		}
		if *into, err = looksOf(rows, len(l.Channels)); err != nil {
			return fmt.Errorf("inputs.%s: %w", name, err)
		}
	}
	if err := in.Check(len(l.Channels)); err != nil {
		return fmt.Errorf("inputs: %w", err)
	}
	l.Inputs = in
	return nil
}

// looksOf undoes looksTensor.
func looksOf(rows []float64, fields int) (looks []Look, err error) {
	each := len(rows) / fields
	if each < 2 || len(rows) != each*fields {
		return nil, fmt.Errorf("%d values for %d fields", len(rows), fields)
	}
	for ; len(rows) > 0; rows = rows[each:] {
		looks = append(looks, Look{Mean: rows[0], Std: rows[1], Shares: rows[2:each:each]})
	}
	return looks, nil
}

// mostFactor is more than can be learned. Without a bound, a damaged file could ask for
// fields of terabytes.
const mostFactor = 1024

// readConfig reads the training config. A missing key gets the default of the original
// code.
func (l *Loaded) readConfig() error {
	l.Flow = Flow{Base: XLoPlusNoise, NoiseScale: 0.1}
	l.Input = Input{Factor: 2}
	l.TMin, l.TMax = 0, 1
	config, ok := l.file.Root.Get("config").(*torchfile.Map)
	if !ok {
		return nil
	}
	if v, ok := config.Get("base_dist").(string); ok {
		l.Flow.Base = BaseDist(v)
	}
	if v, ok := config.Get("base_noise_scale").(float64); ok {
		l.Flow.NoiseScale = v
	}
	if v, ok := config.Get("periodic_padding").(bool); ok {
		l.Config.Periodic = v
	}
	if v, ok := config.Get("t_min").(float64); ok {
		l.TMin = v
	}
	if v, ok := config.Get("t_max").(float64); ok {
		l.TMax = v
	}
	if v, ok := config.Get("factor").(int64); ok {
		l.Input.Factor = int(v)
	}
	if v, ok := config.Get("periodic_input").(bool); ok {
		l.Input.Periodic = v
	}
	if boundary, ok := config.Get("boundary").(*torchfile.Sequence); ok && len(boundary.Items) == 2 {
		for axis, name := range boundary.Items {
			l.Config.Boundary[axis] = field.BoundaryNamed(fmt.Sprint(name))
		}
	}
	if f := l.Input.Factor; f < 2 || f > mostFactor {
		return fmt.Errorf("config.factor is %d: want 2 to %d", f, mostFactor)
	}
	return l.Flow.Validate()
}

func (l *Loaded) state(key string) (*torchfile.Map, error) { return stateOf(l.file.Root, key) }

func stateOf(dict *torchfile.Map, key string) (*torchfile.Map, error) {
	state, ok := dict.Get(key).(*torchfile.Map)
	if !ok {
		return nil, fmt.Errorf("%s is %s: want a dict of tensors", key, torchfile.What(dict.Get(key)))
	}
	return state, nil
}

// shape finds the network and its shape from the tensors of a state dict.
func (l *Loaded) shape(state *torchfile.Map) error {
	name := ""
	if config, ok := l.file.Root.Get("config").(*torchfile.Map); ok {
		name, _ = config.Get("network").(string)
	}
	n, err := networkOf(name)
	if err != nil {
		return err
	}
	c, err := n.recognize(func(name string) []int64 {
		if t, ok := state.Get(name).(*torchfile.Stored); ok {
			return t.Shape
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.Fields != len(l.Channels) {
		return fmt.Errorf("a network of %d fields, but channel_names has %d: %s", c.Fields, len(l.Channels), strings.Join(l.Channels, ", "))
	}
	if err := n.validate(c); err != nil {
		return err
	}
	c.Network = n.name
	l.Config = c
	return nil
}

// Net makes the network on the device, with the weights under key, model_state_dict
// or ema_state_dict. These must be the network's parameters, by name and shape, and
// no others. It must be called on the torch thread; Free releases the network.
func (l *Loaded) Net(s *torchx.Scope, key string, device torchx.Device) (Net, error) {
	state, err := l.state(key)
	if err != nil {
		return nil, err
	}
	if err := l.check(l.Plan.Params(), key, state); err != nil { // before memory is allocated
		return nil, err
	}
	c := l.Config
	c.Device = device
	net, err := NewNet(s, c, 0)
	if err != nil {
		return nil, err
	}
	if err := l.fill(net.Params(), Tensors(net), key, state); err != nil {
		net.Free()
		return nil, err
	}
	return net, nil
}

// check returns an error unless a dict holds a tensor for each parameter, by name
// and shape, and no others.
func (l *Loaded) check(params []Param, key string, state *torchfile.Map) error {
	if len(state.Keys) != len(params) {
		return fmt.Errorf("%s has %d tensors: the network of these widths has %d", key, len(state.Keys), len(params))
	}
	for _, p := range params {
		t, ok := state.Get(p.Name).(*torchfile.Stored)
		if !ok {
			return fmt.Errorf("%s has no tensor %s", key, p.Name)
		}
		if !slices.Equal(t.Shape, p.Shape) {
			return fmt.Errorf("%s: %s has shape %v, want %v", key, p.Name, t.Shape, p.Shape)
		}
		if err := l.file.Check(t); err != nil {
			return fmt.Errorf("%s: %s: %w", key, p.Name, err)
		}
	}
	return nil
}

// fill copies a dict that was checked into tensors, one for each parameter. A value
// that is not finite is an error.
func (l *Loaded) fill(params []Param, tensors []torchx.Tensor, key string, state *torchfile.Map) error {
	for i, p := range params {
		values, err := l.file.Floats(state.Get(p.Name).(*torchfile.Stored))
		if err != nil {
			return fmt.Errorf("%s: %s: %w", key, p.Name, err)
		}
		if i := slices.IndexFunc(values, notFinite); i >= 0 {
			return fmt.Errorf("%s: %s holds %g", key, p.Name, values[i])
		}
		in := torchx.NewScope() // one tensor at a time
		in.Copy(tensors[i], in.FromFloats(values, p.Shape...))
		err = in.Err()
		in.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
