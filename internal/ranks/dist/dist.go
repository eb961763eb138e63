// Package dist connects the ranks of a run by torch's c10d: its TCPStore, and its process
// groups for collectives.
//
//	ranks.Place --Join--> ranks.Group (store, monitor) with Collectives: gloo, and NCCL for a GPU
package dist

import (
	"context"
	"os"
	"time"

	"fmsr.example/fmsr/internal/ranks"
	"fmsr.example/fmsr/internal/torchx"
)

// never is the time limit of collectives: the monitor ends those that wait for a rank that
// is lost, and others may wait long for rank 0, as while it fills a cache.
const never = 1000 * time.Hour

// Collectives are the connections of a rank to the others.
type Collectives struct {
	place  ranks.Place
	stores []*torchx.Store // the first serves, or is a connection; the others use it
	gloo   *torchx.Group
	device *torchx.Group // for tensors on a device that is not the CPU; nil: there is none
}

// Join waits until all ranks have come, and connects them. The caller calls leave with the
// run's error at its end, with the context's if that has ended.
func Join(ctx context.Context, place ranks.Place, opt ranks.Options) (_ context.Context, _ *ranks.Group, leave func(error) error, err error) {
	c := &Collectives{place: place}
	opt.Dial = func() (ranks.Store, error) { return c.dial(opt.Limits.Arrive) }
	if opt.Host, err = os.Hostname(); err != nil {
		return ctx, nil, nil, err
	}
	ctx, g, err := ranks.Join(ctx, place, opt)
	if err != nil {
		return ctx, nil, nil, err
	}
	leave = func(err error) error {
		if err = g.Leave(err); err == nil { // else a connection may be stuck, and the process ends anyway
			c.close()
		}
		return err
	}
	if c.gloo, err = c.group(ctx, "gloo", torchx.CPU); err != nil {
		return ctx, nil, nil, leave(g.Explain(ctx, err))
	}
	g.Connect(c)
	return ctx, g, leave, nil
}

// dial opens a connection to the run's store, which rank 0 serves unless the launcher does.
func (c *Collectives) dial(timeout time.Duration) (ranks.Store, error) {
	if len(c.stores) > 0 {
		return c.keep(c.stores[0].Clone())
	}
	return c.keep(torchx.OpenStore(torchx.StoreAddr{Host: c.place.Host, Port: c.place.Port, Server: c.place.Serves()}, timeout))
}

func (c *Collectives) keep(s *torchx.Store, err error) (*torchx.Store, error) {
	if err == nil {
		c.stores = append(c.stores, s)
	}
	return s, err
}

// group connects all ranks for collectives of tensors on a device.
func (c *Collectives) group(ctx context.Context, name string, device torchx.Device) (*torchx.Group, error) {
	part, err := c.keep(c.stores[0].Prefix(c.place.Prefix() + name))
	if err != nil {
		return nil, err
	}
	return torchx.NewGroup(ctx, part, c.place.Rank, c.place.Size, device, never)
}

// On returns the ranks connected for collectives of tensors on a device. All ranks call it.
func (c *Collectives) On(ctx context.Context, device torchx.Device) (_ *torchx.Group, err error) {
	if device == torchx.CPU {
		return c.gloo, nil
	}
	if c.device == nil {
		c.device, err = c.group(ctx, "device", device)
	}
	return c.device, err
}

// Waits reports whether a collective waits for other ranks. On a GPU it is not known.
func (c *Collectives) Waits() bool { return c.gloo.Waits() }

// AllGather returns the data of all ranks.
func (c *Collectives) AllGather(ctx context.Context, data []byte) (all [][]byte, err error) {
	err = c.gloo.Do(ctx, func(s *torchx.Scope) error {
		all = s.AllGatherBytes(c.gloo, data)
		return s.Err()
	})
	return all, err
}

func (c *Collectives) close() {
	for _, g := range []*torchx.Group{c.device, c.gloo} {
		if g != nil {
			g.Close()
		}
	}
	for i := len(c.stores) - 1; i >= 0; i-- {
		c.stores[i].Close()
	}
}

// Report tells the ranks of a run on this machine, for their launcher, that one of them is
// gone. The others would notice it some seconds later.
func Report(place ranks.Place, why string) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	store, err := torchx.OpenStore(torchx.StoreAddr{Host: place.Host, Port: place.Port}, ranks.Usual.Broken)
	if err != nil {
		return err
	}
	defer store.Close()
	return ranks.Report(store, place, host, why)
}
