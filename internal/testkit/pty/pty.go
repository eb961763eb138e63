// Package pty gives tests a terminal of their own.
package pty

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Terminal is a pseudo-terminal: programs use Program, and Shown is all that they wrote.
type Terminal struct {
	Program *os.File
	control *os.File

	mu    sync.Mutex
	shown bytes.Buffer
	read  sync.WaitGroup
}

// Open opens a terminal of a size, which is closed when the test ends.
func Open(t testing.TB, width, height int) *Terminal {
	t.Helper()
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	number, err := unix.IoctlGetInt(int(control.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(control.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &Terminal{Program: program, control: control}
	p.Resize(t, width, height)
	p.read.Go(func() {
		part := make([]byte, 4096)
		for {
			n, err := control.Read(part)
			p.mu.Lock()
			p.shown.Write(part[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		program.Close()
		p.read.Wait()
		control.Close()
	})
	return p
}

// Resize changes the terminal's size.
func (p *Terminal) Resize(t testing.TB, width, height int) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(p.control.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(width), Row: uint16(height)}); err != nil {
		t.Fatal(err)
	}
}

// HangUp closes the terminal under the programs that use it.
func (p *Terminal) HangUp() {
	p.control.Close()
	p.read.Wait()
}

// End closes the terminal once all programs that use it have ended, and returns what they wrote.
func (p *Terminal) End() string {
	p.Program.Close()
	p.read.Wait()
	return p.Shown()
}

// Type writes what a user types.
func (p *Terminal) Type(text string) { _, _ = p.control.WriteString(text) }

// Shown returns all that was written so far, control sequences included.
func (p *Terminal) Shown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown.String()
}

// Modes returns the terminal's modes, for a comparison.
func (p *Terminal) Modes(t testing.TB) unix.Termios {
	t.Helper()
	modes, err := unix.IoctlGetTermios(int(p.control.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *modes
}
