package model

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/torchfile"
	"fmsr.example/fmsr/internal/torchx"
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
	Unsaid []string // keys of config that the file lacks: Flow, Config.Periodic and Input have the original code's defaults

	path string
	file *torchfile.File
}

// CheckpointIn returns the path of the newest checkpoint in a run's folder, and any
// other path as it is.
func CheckpointIn(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return filepath.Join(path, CheckpointFile)
	}
	return path
}

// OpenCheckpoint reads a checkpoint.pt, or the newest of a run's folder, without the
// weights, which Net reads. The five keys model_state_dict, ema_state_dict, stats,
// channel_names and step are enough: PyTorch may have written the file. Without
// ema_state_dict there is no average.
func OpenCheckpoint(path string) (*Loaded, error) {
	path = CheckpointIn(path)
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
	if err := l.missing(); err != nil {
		return err
	}
	if err := l.readChannels(); err != nil {
		return err
	}
	if _, err := value(l, root, "", "step", &l.Step); err != nil {
		return err
	}
	if l.Step < 0 {
		return fmt.Errorf("step is %d", l.Step)
	}
	if _, err := value(l, root, "", "spec", &l.Spec); err != nil {
		return err
	}
	if err := l.readStats(); err != nil {
		return err
	}
	l.Averaged = root.Get(emaKey) != nil
	if r, err := l.resumption(); err == nil && r.Step > 0 && r.Passed && !r.Averaged { // initial weights, of an older fmsr's flow without ema
		l.Averaged = false
	}
	state, err := l.state(rawKey)
	if err != nil {
		return err
	}
	config, err := l.dict("config")
	if err != nil {
		return err
	}
	if config == nil {
		config = &torchfile.Map{}
	}
	if err := l.shape(state, config); err != nil {
		return err
	}
	if err := l.readInputs(); err != nil {
		return err
	}
	if err := l.readConfig(config); err != nil {
		return err
	}
	if err := l.readFilters(); err != nil {
		return err
	}
	if err := l.readBase(); err != nil {
		return err
	}
	l.Plan, err = Plan(l.Config)
	return err
}

// missing returns an error that names the keys that a checkpoint needs and that this one lacks.
func (l *Loaded) missing() error {
	var missing []string
	for _, key := range []string{rawKey, "stats", "channel_names"} {
		if l.file.Root.Get(key) == nil {
			missing = append(missing, key)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("it lacks %s: want a dict of %s, %s, stats (mean, std), channel_names and step", strings.Join(missing, ", "), rawKey, emaKey)
}

func (l *Loaded) readChannels() error {
	names, ok := torchfile.Items(l.file.Root.Get("channel_names"))
	if !ok {
		return fmt.Errorf("channel_names is %s: want a list", torchfile.What(l.file.Root.Get("channel_names")))
	}
	for _, item := range names {
		name, ok := item.(string)
		if !ok {
			return fmt.Errorf("channel_names holds %s: want text", torchfile.What(item))
		}
		l.Channels = append(l.Channels, name)
	}
	if err := dataset.CheckNames(l.Channels); err != nil {
		return fmt.Errorf("channel_names: %w", err)
	}
	return nil
}

func (l *Loaded) readStats() error {
	stats, err := l.dict("stats")
	if err != nil {
		return err
	}
	l.Stats = &field.Stats{}
	for name, into := range map[string]*[]float64{"mean": &l.Stats.Mean, "std": &l.Stats.Std} {
		values, err := l.numbers(stats, "stats", name)
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
	return l.readLogs(stats.Get("log"))
}

// readLogs reads the names of the channels that are normalized by their logarithm. Without
// the key there are none.
func (l *Loaded) readLogs(given any) error {
	if given == nil {
		return nil
	}
	list, ok := torchfile.Items(given)
	if !ok {
		return fmt.Errorf("stats.log is %s: want a list", torchfile.What(given))
	}
	l.Stats.Log = make([]bool, len(l.Channels))
	for _, item := range list {
		name, _ := item.(string)
		c := slices.Index(l.Channels, name)
		if c < 0 {
			return fmt.Errorf("stats.log holds %v: the channels are %s", item, strings.Join(l.Channels, ", "))
		}
		l.Stats.Log[c] = true
	}
	return nil
}

// readInputs reads the looks of the coarse training fields. A file of PyTorch has none,
// and a file of an older fmsr has others, which are ignored.
func (l *Loaded) readInputs() error {
	dict, err := l.dict("inputs")
	if dict == nil || dict.Get("low") == nil {
		return err
	}
	in := &Inputs{}
	if _, err := value(l, dict, "inputs.", "frames", &in.Frames); err != nil {
		return err
	}
	if in.Std, err = l.numbers(dict, "inputs", "std"); err != nil {
		return err
	}
	for name, into := range map[string]*[]Look{"low": &in.Low, "high": &in.High} {
		rows, err := l.numbers(dict, "inputs", name)
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

// readFilters reads the linear filters. A file of PyTorch or of an older fmsr has none.
func (l *Loaded) readFilters() error {
	if l.file.Root.Get(filterKey) == nil {
		return nil
	}
	weights, err := l.numbers(l.file.Root, "checkpoint", filterKey)
	if err != nil {
		return err
	}
	each := l.Input.Factor * l.Input.Factor * field.LinearFeatures
	if len(weights) != each*len(l.Channels) {
		return fmt.Errorf("%s has %d weights: want %d for each of %d fields", filterKey, len(weights), each, len(l.Channels))
	}
	for c := range l.Channels {
		filter, err := field.LinearOf(l.Input.Factor, weights[c*each:(c+1)*each])
		if err != nil {
			return fmt.Errorf("%s: field %s: %w", filterKey, l.Channels[c], err)
		}
		l.Filters = append(l.Filters, filter)
	}
	return nil
}

// mostFactor is more than can be learned. Without a bound, a damaged file could ask for
// fields of terabytes.
const mostFactor = 1024

// readConfig reads the training config. A missing key gets the default of the original
// code, and is listed in Unsaid.
func (l *Loaded) readConfig(config *torchfile.Map) error {
	l.Flow = Flow{Base: XLoPlusNoise, NoiseScale: 0.1}
	l.Input = Input{Factor: 2}
	l.TMin, l.TMax = 0, 1
	base := string(l.Flow.Base)
	for _, key := range []struct {
		name string
		read func(name string) (bool, error)
	}{
		{"base_dist", func(name string) (bool, error) { return value(l, config, "config.", name, &base) }},
		{"base_noise_scale", func(name string) (bool, error) { return value(l, config, "config.", name, &l.Flow.NoiseScale) }},
		{"periodic_padding", func(name string) (bool, error) { return value(l, config, "config.", name, &l.Config.Periodic) }},
		{"factor", func(name string) (bool, error) { return value(l, config, "config.", name, &l.Input.Factor) }},
		{"periodic_input", func(name string) (bool, error) { return value(l, config, "config.", name, &l.Input.Periodic) }},
	} {
		said, err := key.read(key.name)
		if err != nil {
			return err
		}
		if !said {
			l.Unsaid = append(l.Unsaid, key.name)
		}
	}
	for key, into := range map[string]*float64{"t_min": &l.TMin, "t_max": &l.TMax} {
		if _, err := value(l, config, "config.", key, into); err != nil {
			return err
		}
	}
	if err := errors.Join(l.readBoundary(config), l.readNoise(config), l.readObjective(config)); err != nil {
		return err
	}
	if err := l.readMap(config); err != nil {
		return err
	}
	l.Flow.Base = BaseDist(base)
	if f := l.Input.Factor; f < 2 || f > mostFactor {
		return fmt.Errorf("config.factor is %d: want 2 to %d", f, mostFactor)
	}
	if err := l.Flow.Validate(); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

// readBoundary reads the boundaries of the training domain along y and x. Without the
// key, both are periodic.
func (l *Loaded) readBoundary(config *torchfile.Map) error {
	given := config.Get("boundary")
	if given == nil {
		return nil
	}
	axes, ok := torchfile.Items(given)
	if !ok || len(axes) != len(l.Config.Boundary) {
		return fmt.Errorf("config.boundary is %s: want a list of two", torchfile.What(given))
	}
	for axis, name := range axes {
		text, _ := name.(string)
		boundary := field.BoundaryNamed(text)
		if text != boundary.String() {
			return fmt.Errorf("config.boundary holds %v: want %s or %s", name, field.Periodic, field.Open)
		}
		l.Config.Boundary[axis] = boundary
	}
	return nil
}

func (l *Loaded) state(key string) (*torchfile.Map, error) { return stateOf(l.file.Root, key) }

func stateOf(dict *torchfile.Map, key string) (*torchfile.Map, error) {
	state, ok := dict.Get(key).(*torchfile.Map)
	if !ok {
		return nil, fmt.Errorf("%s is %s: want a dict of tensors", key, torchfile.What(dict.Get(key)))
	}
	return unwrapped(state), nil
}

// shape finds the network and its shape from the tensors of a state dict.
func (l *Loaded) shape(state, config *torchfile.Map) error {
	name := ""
	if _, err := value(l, config, "config.", "network", &name); err != nil {
		return err
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
		return fmt.Errorf("%s has %d tensors: the network of these widths has %d%s", key, len(state.Keys), len(params), stranger(params, state))
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

// stranger names a key of the state dict that is no parameter, if there is one.
func stranger(params []Param, state *torchfile.Map) string {
	for _, key := range state.Keys {
		name, isText := key.(string)
		if !isText {
			name = torchfile.What(key)
		}
		if !slices.ContainsFunc(params, func(p Param) bool { return p.Name == name }) {
			return fmt.Sprintf(", and no %.100q", name)
		}
	}
	return ""
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
