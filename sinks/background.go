package sinks

// background is one piece of work at a time, beside the stage.
type background struct{ done chan error }

// start does work once the piece before it has ended well.
func (b *background) start(work func() error) error {
	if err := b.wait(); err != nil {
		return err
	}
	done := make(chan error, 1) // one result, which may never be asked for
	b.done = done
	go func() { done <- work() }()
	return nil
}

// wait waits for the work, if there is any, and returns its error once.
func (b *background) wait() error {
	if b.done == nil {
		return nil
	}
	err := <-b.done
	b.done = nil
	return err
}
