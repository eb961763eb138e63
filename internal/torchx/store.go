package torchx

// #include <stdlib.h>
// #include "csrc/fx.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"
)

// ErrTimeout is the error of Store.Get when no rank has set the key in time.
var ErrTimeout = errors.New("nobody has set it in time")

// Store is a key-value store that the ranks of a run share: torch's TCPStore. No call
// takes longer than the store's timeout, besides the time that Get is to wait. After a
// call without an answer, or with a broken connection, the store is of no more use.
//
// Goroutines may share a Store, but their calls wait for one another: a goroutine that
// waits in Get needs a Clone of its own.
type Store struct {
	c       C.fx_store
	addr    StoreAddr
	timeout time.Duration
	stuck   atomic.Bool // a call has not returned in time
}

// StoreAddr says where a Store is served, and by whom.
type StoreAddr struct {
	Host   string
	Port   int  // 0, for a server: any; Store.Port returns it
	Server bool // this process serves the store, until its Store and all Clones are closed
	Shared bool // for a server: one on the same port in this process is used instead of a new one
}

// OpenStore serves a store or connects to one. It tries to connect until the timeout.
func OpenStore(addr StoreAddr, timeout time.Duration) (*Store, error) {
	s := &Store{addr: addr, timeout: timeout}
	return s.open("connecting", 2*timeout, func(c *C.fx_store) C.fx_error {
		host := C.CString(addr.Host)
		defer C.free(unsafe.Pointer(host))
		var port C.int
		err := C.fx_store_open(host, C.int(addr.Port), C.bool(addr.Server), C.bool(addr.Shared), C.int64_t(timeout.Milliseconds()), c, &port)
		s.addr.Port = int(port)
		return err
	})
}

// Prefix returns the part of the store whose keys begin with name. It shares the
// store's connection. The caller closes it.
func (s *Store) Prefix(name string) (*Store, error) {
	part := &Store{addr: s.addr, timeout: s.timeout}
	return part.open("prefix", s.timeout, func(c *C.fx_store) C.fx_error {
		n := C.CString(name)
		defer C.free(unsafe.Pointer(n))
		return C.fx_store_prefix(s.c, n, c)
	})
}

// Clone returns the store with a connection of its own. The caller closes it.
func (s *Store) Clone() (*Store, error) {
	clone := &Store{addr: s.addr, timeout: s.timeout}
	return clone.open("connecting", 2*s.timeout, func(c *C.fx_store) C.fx_error { return C.fx_store_clone(s.c, c) })
}

func (s *Store) open(what string, within time.Duration, open func(*C.fx_store) C.fx_error) (*Store, error) {
	c := new(C.fx_store)
	if err := s.call(what, within, func() error { return check(open(c)) }); err != nil {
		return nil, err
	}
	s.c = *c
	return s, nil
}

// Port returns the port of the store.
func (s *Store) Port() int { return s.addr.Port }

// String returns the host and the port, for messages.
func (s *Store) String() string { return net.JoinHostPort(s.addr.Host, strconv.Itoa(s.addr.Port)) }

// Close ends the connection, or leaves it if a call has not returned.
func (s *Store) Close() {
	if !s.stuck.Load() && s.c != nil {
		C.fx_store_free(s.c)
		s.c = nil
	}
}

// call runs f on a goroutine of its own, since f may wait for an answer for ever. f's
// results are valid only if call returns no error.
func (s *Store) call(what string, within time.Duration, f func() error) error {
	if s.stuck.Load() {
		return fmt.Errorf("store at %s: %s: an earlier call has had no answer", s, what)
	}
	at := s.String()
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("store at %s: %s: %w", at, what, err)
		}
		return nil
	case <-timer.C:
		s.stuck.Store(true)
		return fmt.Errorf("store at %s: %s: no answer for %v", at, what, within)
	}
}

// keyed runs f with a key as a C string.
func (s *Store) keyed(what, key string, within time.Duration, f func(key *C.char) C.fx_error) error {
	return s.call(what+" "+key, within, func() error {
		k := C.CString(key)
		defer C.free(unsafe.Pointer(k))
		return check(f(k))
	})
}

// Set sets the value of a key.
func (s *Store) Set(key string, value []byte) error {
	return s.keyed("set", key, s.timeout, func(k *C.char) C.fx_error {
		return C.fx_store_set(s.c, k, (*C.uint8_t)(unsafe.SliceData(value)), C.int64_t(len(value)))
	})
}

// Get waits until a key is there and returns its value. It returns ErrTimeout if the key
// is not there in time, and ctx's cause if ctx ends before.
func (s *Store) Get(ctx context.Context, key string, timeout time.Duration) ([]byte, error) {
	for end := time.Now().Add(timeout); ; {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		wait := max(time.Millisecond, min(time.Second, time.Until(end)))
		value, there, err := s.get(key, wait)
		if there || err != nil {
			return value, err
		}
		if !time.Now().Before(end) {
			return nil, fmt.Errorf("store at %s: get %s: %w (%v)", s, key, ErrTimeout, timeout)
		}
	}
}

func (s *Store) get(key string, wait time.Duration) (value []byte, there bool, err error) {
	var got struct {
		there C.bool
		data  *C.uint8_t
		n     C.int64_t
	}
	err = s.keyed("get", key, wait+s.timeout, func(k *C.char) C.fx_error {
		if err := C.fx_store_wait(s.c, k, C.int64_t(wait.Milliseconds()), &got.there); err != nil || !got.there {
			return err
		}
		return C.fx_store_get(s.c, k, &got.data, &got.n)
	})
	if err != nil || !got.there {
		return nil, false, err
	}
	defer C.free(unsafe.Pointer(got.data))
	return C.GoBytes(unsafe.Pointer(got.data), C.int(got.n)), true, nil
}

// Has reports whether all keys are there.
func (s *Store) Has(keys ...string) (bool, error) {
	all := new(C.bool)
	err := s.call("check", s.timeout, func() error {
		ks := make([]*C.char, len(keys)+1)
		for i, key := range keys {
			ks[i] = C.CString(key)
			defer C.free(unsafe.Pointer(ks[i]))
		}
		return check(C.fx_store_check(s.c, &ks[0], C.int(len(keys)), all))
	})
	return err == nil && bool(*all), err
}

// Add adds n to the number under a key, 0 at first, and returns the sum.
func (s *Store) Add(key string, n int64) (int64, error) {
	sum := new(C.int64_t)
	err := s.keyed("add", key, s.timeout, func(k *C.char) C.fx_error { return C.fx_store_add(s.c, k, C.int64_t(n), sum) })
	if err != nil {
		return 0, err
	}
	return int64(*sum), nil
}

// Delete removes a key and reports whether it was there.
func (s *Store) Delete(key string) (bool, error) {
	was := new(C.bool)
	err := s.keyed("delete", key, s.timeout, func(k *C.char) C.fx_error { return C.fx_store_delete(s.c, k, was) })
	return err == nil && bool(*was), err
}
