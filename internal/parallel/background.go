package parallel

// Background does one piece of work at a time, beside the goroutine that starts it.
// Its zero value is idle. Wait for it before what the work uses is freed.
type Background struct{ done chan error }

// Start waits for the previous work, and then starts work. If the previous work failed,
// Start returns its error and starts nothing.
func (b *Background) Start(work func() error) error {
	if err := b.Wait(); err != nil {
		return err
	}
	done := make(chan error, 1) // one result, which may never be asked for
	b.done = done
	go func() { done <- work() }()
	return nil
}

// Wait waits for the work, if there is any, and returns its error once.
func (b *Background) Wait() error {
	if b.done == nil {
		return nil
	}
	err := <-b.done
	b.done = nil
	return err
}
