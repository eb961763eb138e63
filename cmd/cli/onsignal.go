package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"fmsr.example/fmsr/pipeline"
)

// Times of run.on_signal.
const (
	sameSignal    = 10 * time.Second // srun and Slurm may both pass one signal on: within this time a second one is the first
	requeueWithin = 30 * time.Second
	endOfRequeued = 5 * time.Minute // Slurm's KillWait and a node's epilog, generously
)

// onSignal is what a run does when run.signal has stopped it.
//
//	run.signal -> the run stops and saves -> exit:    exits
//	                                      -> wait:    stays, so that Slurm sees a job that runs
//	                                      -> requeue: scontrol requeue, then stays
type onSignal struct {
	*signals
	signal syscall.Signal
	action string // exit, wait, requeue
	out    io.Writer
}

// heed prepares for a spec's run.signal.
func (s *signals) heed(spec *pipeline.Spec, out io.Writer) *onSignal {
	o := &onSignal{signals: s, signal: spec.Run.StopSignal(), action: spec.Run.OnSignal, out: out}
	s.add(o.signal)
	if o.action != "exit" && spec.Resumable() {
		s.ignored.Store(int32(o.signal))
	}
	return o
}

// stopped does what run.on_signal says after a run has ended with err. It returns when the
// process is to exit. Of several ranks one leads: the others stay, so that the job does.
func (o *onSignal) stopped(err error, leads bool) {
	var by interrupted
	switch {
	case o.action == "exit" || !errors.As(err, &by) || by.signal != o.signal:
	case !onlyInterrupted(err): // another node would meet the same error, again and again
		o.say("the run has another error than the signal: exits")
	case o.action == "wait":
		if leads {
			o.say("stopped; stays until Slurm, or another signal, ends it")
		}
		o.stay(0)
	case !leads:
		o.stay(endOfRequeued)
	default:
		if err := o.requeue(); err != nil {
			o.say("%v. Instead of requeueing, queue a successor before work begins: sbatch --dependency=afterany:JOB ... (examples/slurm/chain.sh)", err)
			return
		}
		o.stay(endOfRequeued)
		o.say("Slurm has not ended this job %v after it was requeued", endOfRequeued)
	}
}

func (o *onSignal) say(format string, args ...any) {
	fmt.Fprintf(o.out, "run.on_signal %s: %s\n", o.action, fmt.Sprintf(format, args...))
}

// stay waits for a signal or SIGKILL to end the process, or for so long; 0: for good.
func (o *onSignal) stay(atMost time.Duration) {
	o.ending.Store(true) // another rank may have had the signal
	time.AfterFunc(sameSignal, func() { o.ignored.Store(0) })
	if atMost == 0 {
		select {}
	}
	time.Sleep(atMost)
}

// requeue asks Slurm to run this job again.
func (o *onSignal) requeue() error {
	job := slurmJob(os.Getenv)
	if job == "" {
		return errors.New("SLURM_JOB_ID is not set: no job of Slurm's to requeue")
	}
	scontrol, err := exec.LookPath("scontrol")
	if err != nil {
		return fmt.Errorf("job %s: no scontrol in PATH (a container has none): not requeued", job)
	}
	o.say("stopped; asks Slurm to requeue job %s, and stays until Slurm ends it", job) // now: Slurm ends it at once
	ctx, cancel := context.WithTimeout(context.Background(), requeueWithin)
	defer cancel()
	if out, err := exec.CommandContext(ctx, scontrol, "requeue", job).CombinedOutput(); err != nil {
		return fmt.Errorf("scontrol requeue %s: %w: %s", job, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// slurmJob returns the job by the name that scontrol takes, from its environment: 41, or
// 40_3 for a task of a job array; empty outside Slurm.
func slurmJob(getenv func(string) string) string {
	if array := getenv("SLURM_ARRAY_JOB_ID"); array != "" {
		return array + "_" + getenv("SLURM_ARRAY_TASK_ID")
	}
	return getenv("SLURM_JOB_ID")
}

// onlyInterrupted reports whether err holds nothing but a signal: the run could save.
func onlyInterrupted(err error) bool {
	switch err := err.(type) {
	case interrupted:
		return true
	case interface{ Unwrap() error }:
		return onlyInterrupted(err.Unwrap())
	case interface{ Unwrap() []error }:
		for _, e := range err.Unwrap() {
			if !onlyInterrupted(e) {
				return false
			}
		}
		return true
	default:
		return false
	}
}
