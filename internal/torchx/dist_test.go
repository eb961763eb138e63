package torchx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// serve returns a store that this process serves, and a client of it for each rank.
func serve(t *testing.T, ranks int) (server *Store, clients []*Store) {
	t.Helper()
	server, err := OpenStore(StoreAddr{Host: "127.0.0.1", Server: true}, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	for range ranks {
		client, err := server.Clone()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		clients = append(clients, client)
	}
	return server, clients
}

// onRanks runs f on n ranks, a goroutine each.
func onRanks(t *testing.T, n int, f func(g *Group) error) {
	t.Helper()
	_, stores := serve(t, n)
	var wait sync.WaitGroup
	for rank := range n {
		wait.Go(func() {
			g, err := NewGroup(context.Background(), stores[rank], rank, n, CPU, 10*time.Second)
			if err == nil {
				defer g.Close()
				err = f(g)
			}
			if err != nil {
				t.Errorf("rank %d: %v", rank, err)
			}
		})
	}
	wait.Wait()
}

func TestStore(t *testing.T) {
	server, clients := serve(t, 2)
	a, err := clients[0].Prefix("part")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := OpenStore(StoreAddr{Host: "localhost", Port: server.Port()}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctx := context.Background()
	want := []byte("a\x00b")
	time.AfterFunc(50*time.Millisecond, func() {
		if err := a.Set("key", want); err != nil {
			t.Error(err)
		}
	})
	got, err := b.Get(ctx, "part/key", 5*time.Second)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("get: %q, %v", got, err)
	}
	for i := range int64(3) {
		if n, err := a.Add("count", 2); n != 2*(i+1) || err != nil {
			t.Errorf("add: %d, %v", n, err)
		}
	}
	if yes, err := b.Has("part/key", "part/count"); !yes || err != nil {
		t.Errorf("has: %v, %v", yes, err)
	}
	if no, err := b.Has("part/key", "other"); no || err != nil {
		t.Errorf("has: %v, %v", no, err)
	}
	if was, err := b.Delete("part/key"); !was || err != nil {
		t.Errorf("delete: %v, %v", was, err)
	}
	if _, err := a.Get(ctx, "key", 20*time.Millisecond); !errors.Is(err, ErrTimeout) {
		t.Errorf("get of no key: %v", err)
	}
	if _, err := a.Get(ctx, "count", 10*time.Second); err != nil {
		t.Errorf("after a timeout: %v", err)
	}
	ending, cancel := context.WithCancelCause(ctx)
	time.AfterFunc(20*time.Millisecond, func() { cancel(errors.New("enough")) })
	if _, err := a.Get(ending, "key", time.Hour); err == nil || err.Error() != "enough" {
		t.Errorf("get until the context ends: %v", err)
	}
	if err := a.Set("empty", nil); err != nil {
		t.Error(err)
	}
	if got, err := a.Get(ctx, "empty", 10*time.Second); err != nil || len(got) != 0 {
		t.Errorf("an empty value: %q, %v", got, err)
	}
}

// TestStoreGone: a store without its server is an error, in time.
func TestStoreGone(t *testing.T) {
	if _, err := OpenStore(StoreAddr{Host: "127.0.0.1", Port: 1}, 100*time.Millisecond); err == nil {
		t.Error("connected to a port that nobody listens on")
	}
	server, err := OpenStore(StoreAddr{Host: "127.0.0.1", Server: true}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	client, err := OpenStore(StoreAddr{Host: "127.0.0.1", Port: server.Port()}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server.Close()
	began := time.Now()
	if _, err := client.Add("count", 1); err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("add without a server: %v, after %v", err, time.Since(began))
	}
	if _, err := client.Get(context.Background(), "count", time.Minute); err == nil || errors.Is(err, ErrTimeout) {
		t.Errorf("get without a server: %v", err)
	}
}

func TestCollectives(t *testing.T) {
	before := Live()
	for _, n := range []int{1, 2, 4} {
		onRanks(t, n, func(g *Group) error {
			return g.Do(context.Background(), func(s *Scope) error {
				for _, dtype := range []DType{Float32, Float64, BFloat16, Int64} {
					x := s.Full(float64(g.Rank+1), dtype, CPU, 2, 3, 4, 4)
					x = s.To(x, dtype, CPU, NHWC)
					s.AllReduce(g, x)
					if got := s.Item(s.Mean(s.To(x, Float32, CPU, NCHW))); got != float64(n*(n+1)/2) {
						return fmt.Errorf("%d ranks, type %d: sum %g", n, dtype, got)
					}
				}
				x := s.Full(float64(g.Rank), Float32, CPU, 3)
				for r, y := range s.AllGather(g, x) {
					if v := s.Floats(y); len(v) != 3 || v[2] != float32(r) {
						return fmt.Errorf("gathered %v from rank %d", v, r)
					}
				}
				s.Broadcast(g, x, n-1)
				if v := s.Floats(x); v[0] != float32(n-1) {
					return fmt.Errorf("broadcast %v", v)
				}
				mine := strings.Repeat("x", g.Rank)
				for r, data := range s.AllGatherBytes(g, []byte(mine)) {
					if string(data) != strings.Repeat("x", r) {
						return fmt.Errorf("gathered %q from rank %d", data, r)
					}
				}
				if got := s.BroadcastBytes(g, []byte(mine), n-1); string(got) != strings.Repeat("x", n-1) {
					return fmt.Errorf("broadcast %q", got)
				}
				s.Barrier(g)
				return s.Err()
			})
		})
	}
	if left := Live() - before; left != 0 {
		t.Errorf("%d tensors left", left)
	}
}

// TestStoreSilent: a store that does not answer is an error, in time, and so is every
// later call.
func TestStoreSilent(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	began := time.Now()
	_, err = OpenStore(StoreAddr{Host: "127.0.0.1", Port: silent.Addr().(*net.TCPAddr).Port}, 200*time.Millisecond)
	if took := time.Since(began); err == nil || took > 5*time.Second {
		t.Errorf("connected to a server that says nothing: %v after %v", err, took)
	}
	store := &Store{timeout: 50 * time.Millisecond}
	release := make(chan struct{})
	defer close(release)
	for range 2 {
		if err := store.call("wait", store.timeout, func() error { <-release; return nil }); err == nil {
			t.Error("a call without an answer is no error")
		}
	}
}
