package model

import (
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/torchx"
)

// Net is a network for the flow velocity: v = Net(cat(xt, x_lo), t). A new network is a file with an
// implementation, as unet.go is, and a line in networks.
type Net interface {
	// Config returns the network's shape, every default filled in.
	Config() Config
	// Params lists the parameters in the order of checkpoints and of the optimizer.
	Params() []Param
	// Multiple returns the number that H and W of Forward's x must be multiples of. The
	// function Forward takes fields of any grid.
	Multiple() int
	// SampleBytes estimates the memory of one evaluation for one h x w sample,
	// without the weights.
	SampleBytes(h, w int) int64
	// TrainBytes estimates the memory of a training step in float32 for one h x w sample,
	// without the weights.
	TrainBytes(h, w int) int64
	// Forward returns the velocity (N,C,H,W) at x = cat(xt, x_lo) (N,2C,H,W) and the times
	// t in [0,1], (N), one for each sample. For times (N,M) it returns the mean velocity
	// over the M times, to first order in their distance. With Config.Spans, times are (N,2), t
	// and s, and it returns the mean velocity from t to s.
	Forward(s *torchx.Scope, x, t torchx.Tensor) torchx.Tensor
	// Free releases the weights, on the torch thread.
	Free()
}

// Config is the shape of a network. Zero fields are filled by the network's defaults.
type Config struct {
	Network  string // name in networks; empty: unet
	Fields   int    // C: fields of the target; the input has 2C channels
	Channels int    // model_channels: width of the first level
	Mult     []int  // channel_mult: each level's width over model_channels
	Periodic bool   // convolutions wrap around the domain instead of padding with zeros
	Spans    bool   // the network takes two times, t and s: a flow map's

	Boundary [2]field.Boundary // of the domain, along y and x: how Forward continues fields beyond their edges

	DType  torchx.DType  // of the master weights; zero means float32
	Format torchx.Format // of activations and kernels
	Device torchx.Device
}

// DefaultNetwork is the network of checkpoints and specs that name none.
const DefaultNetwork = "unet"

// network is how a kind of network is made.
type network struct {
	name string
	// validate returns an error for an impossible shape, zero fields included.
	validate func(c Config) error
	// declare makes the network of the builder's shape.
	declare func(b *builder) Net
	// recognize returns the shape of a state dict's network, from the shapes of its
	// tensors. shape returns nil if there is no tensor of that name.
	recognize func(shape func(name string) []int64) (Config, error)
}

// networks lists all networks.
var networks = []network{
	{DefaultNetwork, validateUNet, declareUNet, recognizeUNet},
}

// Networks returns the names of all networks.
func Networks() []string {
	var names []string
	for _, n := range networks {
		names = append(names, n.name)
	}
	return names
}

func networkOf(name string) (network, error) {
	if name == "" {
		name = DefaultNetwork
	}
	for _, n := range networks {
		if n.name == name {
			return n, nil
		}
	}
	return network{}, fmt.Errorf("network %q: want %s", name, strings.Join(Networks(), " or "))
}

// Validate returns an error for an impossible shape.
func (c Config) Validate() error {
	n, err := networkOf(c.Network)
	if err != nil {
		return err
	}
	return n.validate(c)
}

// Plan returns the network of a shape without its tensors, so that its parameters and
// memory are known before anything is allocated.
func Plan(c Config) (Net, error) { return declare(nil, c, 0) }

// NewNet makes a freshly initialized network, a function of seed. It must be
// called on the torch thread; Free releases the network.
func NewNet(s *torchx.Scope, c Config, seed uint64) (Net, error) {
	net, err := declare(s, c, seed)
	if err == nil && s.Err() != nil {
		net.Free()
		return nil, fmt.Errorf("%s: %w", net.Config().Network, s.Err())
	}
	return net, err
}

func declare(s *torchx.Scope, c Config, seed uint64) (Net, error) {
	n, err := networkOf(c.Network)
	if err != nil {
		return nil, err
	}
	c.Network = n.name
	if c.Channels == 0 {
		c.Channels = 128
	}
	if len(c.Mult) == 0 {
		c.Mult = DefaultMult
	}
	if c.DType == 0 {
		c.DType = torchx.Float32
	}
	if err := n.validate(c); err != nil {
		return nil, err
	}
	return n.declare(&builder{parameters: parameters{config: c}, s: s, seed: seed}), nil
}

// Tensors returns the parameters' tensors, in order.
func Tensors(n Net) []torchx.Tensor {
	params := n.Params()
	ts := make([]torchx.Tensor, len(params))
	for i, p := range params {
		ts[i] = p.Tensor
	}
	return ts
}

// Count returns the number of scalar parameters.
func Count(n Net) int {
	count := 0
	for _, p := range n.Params() {
		count += numel(p.Shape)
	}
	return count
}

// NetInput views float32 bytes of n frames (n,C,H,W) as a tensor on the network's
// device and in its memory format. It makes no copy if the bytes have both already. On
// CUDA it does not wait for the device.
func NetInput(s *torchx.Scope, net Net, data []byte, n, h, w int) torchx.Tensor {
	c := net.Config()
	if c.Device != torchx.CPU && c.DType == torchx.Float32 {
		values := arrow.Float32Traits.CastFromBytes(data)
		return torchx.Upload(s, values, c.DType, c.Device, c.Format, int64(n), int64(c.Fields), int64(h), int64(w))
	}
	x := s.FromBytes(data, torchx.Float32, int64(n), int64(c.Fields), int64(h), int64(w))
	return s.To(x, c.DType, c.Device, c.Format)
}
