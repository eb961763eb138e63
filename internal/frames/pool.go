package frames

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Pool is an Arrow allocator outside Go's heap, so that libtorch may hold its memory
// without a copy. Freed memory is given out again for the same size: a flow, whose
// frames all have one size, soon allocates nothing. It is safe for concurrent use.
type Pool struct {
	mu   sync.Mutex
	free map[int][][]byte // by size
	used int64
}

// NewPool returns an empty pool. Close it when all its memory has been freed.
func NewPool() *Pool { return &Pool{free: map[int][][]byte{}} }

const page = 4096

// Allocate returns that many uninitialized bytes, aligned to a page.
func (p *Pool) Allocate(size int) []byte {
	if size == 0 {
		return nil
	}
	whole := (size + page - 1) / page * page
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used += int64(whole)
	if list := p.free[whole]; len(list) > 0 {
		b := list[len(list)-1]
		p.free[whole] = list[:len(list)-1]
		return b[:size]
	}
	b, err := unix.Mmap(-1, 0, whole, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic(fmt.Errorf("allocating %d bytes: %w", whole, err))
	}
	return b[:size]
}

// Reallocate grows or shrinks b, keeping its contents.
func (p *Pool) Reallocate(size int, b []byte) []byte {
	if size <= cap(b) && size > 0 {
		return b[:size]
	}
	grown := p.Allocate(size)
	copy(grown, b)
	p.Free(b)
	return grown
}

// Free keeps b for the next Allocate of its size.
func (p *Pool) Free(b []byte) {
	if cap(b) == 0 {
		return
	}
	whole := cap(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used -= int64(whole)
	p.free[whole] = append(p.free[whole], b[:whole])
}

// InUse returns the number of bytes allocated and not freed.
func (p *Pool) InUse() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

// Close returns the free memory to the system.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first error
	for size, list := range p.free {
		for _, b := range list {
			if err := unix.Munmap(b); err != nil && first == nil {
				first = fmt.Errorf("unmapping %d bytes: %w", size, err)
			}
		}
	}
	p.free = map[int][][]byte{}
	return first
}
