package torchx

// #include <stdlib.h>
// #include "csrc/fx.h"
import "C"

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
	"unsafe"
)

// Group is the ranks of a run, connected for collectives by torch's c10d: gloo for
// tensors on the CPU and NCCL for those on CUDA. All ranks call the same collectives in
// the same order, one at a time, each in a Scope: a collective waits for the other
// ranks, and ends with an error when the scope's context ends, when a rank is gone, or
// when a rank has not come within the group's timeout. After such an error the group is
// of no more use.
type Group struct {
	Rank, Size int

	c C.fx_group
}

// NewGroup connects size ranks, which find one another in the store. It waits for all of
// them until ctx ends, and then at most half a minute for the connections. The timeout is
// for each collective. It must be longer than a rank is ever busy by itself, with a
// checkpoint say; the scope's context ends a wait earlier. With a CUDA device, collectives
// of tensors on it go by NCCL. The caller closes the group before the store.
//
// gloo's connections are made at the network interface that GLOO_SOCKET_IFNAME names, or
// else the one by which the store's host is reached.
func NewGroup(ctx context.Context, store *Store, rank, size int, device Device, timeout time.Duration) (*Group, error) {
	g := &Group{Rank: rank, Size: size}
	named := os.Getenv("GLOO_SOCKET_IFNAME")
	address, err := agreeOnAddress(ctx, store, rank, size)
	if err != nil {
		return nil, fmt.Errorf("rank %d of %d: %w", rank, size, err)
	}
	addr, ifname := C.CString(address), C.CString(named)
	defer C.free(unsafe.Pointer(addr))
	defer C.free(unsafe.Pointer(ifname))
	err = check(C.fx_group_open(store.c, C.int(rank), C.int(size), device.index(), addr, ifname, C.int64_t(timeout.Milliseconds()), &g.c))
	if err != nil {
		return nil, fmt.Errorf("rank %d of %d: connecting to the other ranks from %s: %w", rank, size, max(named, address), err)
	}
	return g, nil
}

// agreeOnAddress returns the address at which this rank can be reached by the others: its
// own on the way to the store's host. A host that knows itself by a loopback address
// takes the one on the way to a rank on another host instead.
func agreeOnAddress(ctx context.Context, store *Store, rank, size int) (string, error) {
	mine, err := localAddress(store.addr.Host)
	if err != nil {
		return "", err
	}
	key := func(r int) string { return "address/" + strconv.Itoa(r) }
	if err := store.Set(key(rank), []byte(mine.String())); err != nil {
		return "", err
	}
	other := ""
	for r := range size {
		theirs, err := store.Get(ctx, key(r), 1<<62)
		if err != nil {
			return "", err
		}
		if !net.ParseIP(string(theirs)).IsLoopback() {
			other = string(theirs)
		}
	}
	if mine.IsLoopback() && other != "" {
		mine, err = localAddress(other)
	}
	return mine.String(), err
}

// localAddress returns this machine's address on the way to a host.
func localAddress(host string) (net.IP, error) {
	const anyPort = "9" // nothing is sent
	conn, err := net.Dial("udp4", net.JoinHostPort(host, anyPort))
	if err != nil {
		conn, err = net.Dial("udp", net.JoinHostPort(host, anyPort))
	}
	if err != nil {
		return nil, fmt.Errorf("the way to %s: %w", host, err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).IP, nil
}

// Close ends the connections. After a failed collective it leaves them, since their end
// would wait for that collective.
func (g *Group) Close() {
	if g.c != nil {
		C.fx_group_close(g.c)
		g.c = nil
	}
}

// Waits reports whether a collective on the CPU waits for other ranks now. Any goroutine may
// ask.
func (g *Group) Waits() bool { return bool(C.fx_group_waits(g.c)) }

// Check returns the error of a collective that AllReduce or a Reducer has queued on CUDA and
// that has ended since. What was computed from its result means nothing.
func (g *Group) Check() error { return check(C.fx_group_check(g.c)) }

// Abort ends the collectives on CUDA that wait for other ranks.
func (g *Group) Abort() { _ = check(C.fx_group_abort(g.c)) }

// Do runs f in a scope on the calling goroutine, for collectives that belong to no
// model. If ctx ends, the scope's collectives end too.
func (g *Group) Do(ctx context.Context, f func(s *Scope) error) error { return inScope(ctx, nil, f) }

// AllReduce replaces x, of any shape, by its sum over the ranks. On CUDA it does not wait:
// Group.Check reports a failure later.
func (s *Scope) AllReduce(g *Group, x Tensor) {
	s.do("all-reduce", func() C.fx_error { return C.fx_all_reduce(g.c, handle(x), s.stop) })
}

// Broadcast replaces x, of any shape, by that of rank root.
func (s *Scope) Broadcast(g *Group, x Tensor, root int) {
	s.do("broadcast", func() C.fx_error { return C.fx_broadcast(g.c, handle(x), C.int(root), s.stop) })
}

// AllGather returns the x of all ranks, which have the same shape, in the order of ranks.
func (s *Scope) AllGather(g *Group, x Tensor) []Tensor {
	out := make([]C.fx_tensor, g.Size)
	s.do("all-gather", func() C.fx_error { return C.fx_all_gather(g.c, handle(x), s.stop, &out[0]) })
	all := make([]Tensor, g.Size)
	for i, h := range out {
		all[i] = Tensor{}
		if h != nil {
			all[i] = s.own(wrap(h))
		}
	}
	return all
}

// Barrier waits until all ranks have called it.
func (s *Scope) Barrier(g *Group) {
	s.do("barrier", func() C.fx_error { return C.fx_barrier(g.c, s.stop) })
}

// BroadcastBytes returns the data of rank root.
func (s *Scope) BroadcastBytes(g *Group, data []byte, root int) []byte {
	n := s.numbers(int64(len(data)))
	s.Broadcast(g, n, root)
	all := make([]int64, 1)
	Read(s, n, all)
	if s.err != nil || all[0] == 0 {
		return nil
	}
	if g.Rank != root {
		data = make([]byte, all[0])
	}
	t := s.bytes(data, len(data))
	s.Broadcast(g, t, root)
	out := make([]byte, len(data))
	Read(s, t, out)
	return out
}

// AllGatherBytes returns the data of all ranks, of any lengths, in the order of ranks.
func (s *Scope) AllGatherBytes(g *Group, data []byte) [][]byte {
	lengths := make([]int64, g.Size)
	most := 1
	for r, n := range s.AllGather(g, s.numbers(int64(len(data)))) {
		Read(s, n, lengths[r:r+1])
		most = max(most, int(lengths[r]))
	}
	if s.err != nil {
		return nil
	}
	all := make([][]byte, g.Size)
	for r, t := range s.AllGather(g, s.bytes(data, most)) {
		all[r] = make([]byte, most)
		Read(s, t, all[r])
		all[r] = all[r][:lengths[r]]
	}
	if s.err != nil {
		return nil
	}
	return all
}

// numbers returns a tensor of these numbers, (n), int64, on the CPU.
func (s *Scope) numbers(values ...int64) Tensor {
	t := s.Full(0, Int64, CPU, int64(len(values)))
	Write(s, t, values)
	return t
}

// bytes returns a tensor (n), uint8, on the CPU, of data followed by zeros.
func (s *Scope) bytes(data []byte, n int) Tensor {
	t := s.Full(0, Byte, CPU, int64(n))
	padded := make([]byte, n)
	copy(padded, data)
	Write(s, t, padded)
	return t
}

// Reducer averages the gradients of parameters over the ranks while the backward pass
// still runs: torch's c10d::Reducer, as in DistributedDataParallel. It gathers the
// gradients in buckets, a first one of 1 MB and then 25 MB, which the gradients are views
// of, and sends each bucket as soon as it is full. Every rank has the same gradients
// then, bit for bit.
type Reducer struct{ c C.fx_reducer }

// NewReducer returns a Reducer for params, which require gradients. All ranks call it. If
// bf16, gradients are divided by the number of ranks in float32, rounded to bf16, and
// sent and summed in bf16. The caller closes the Reducer before the group.
func (s *Scope) NewReducer(g *Group, params []Tensor, bf16 bool) *Reducer {
	r := &Reducer{}
	s.do("reducer", func() C.fx_error {
		p, n := handles(params)
		return C.fx_reducer_new(g.c, p, n, C.bool(bf16), s.stop, &r.c)
	})
	return r
}

// Reduce makes the next backward pass average the gradients, those of earlier passes
// since the last ZeroGrads included. The pass must reach every parameter, and ends with
// an error when the scope's context ends.
func (s *Scope) Reduce(r *Reducer) {
	s.do("reduce", func() C.fx_error { return C.fx_reducer_prepare(r.c, s.stop) })
}

// Close takes the Reducer from its parameters.
func (r *Reducer) Close() {
	if r.c != nil {
		C.fx_reducer_free(r.c)
		r.c = nil
	}
}
