package ranks

import (
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
)

// Place is where a process stands among the processes of a run. The zero value, and any
// of Size 1, is a process alone.
type Place struct {
	Rank, Size       int
	Local, LocalSize int    // rank and number of ranks on this machine
	Host             string // where the store is served
	Port             int
	Agent            bool   // the launcher serves the store, not rank 0
	Attempt          int    // how often the launcher has restarted the run
	Launcher         string // "torchrun" or "srun"; empty: none
	Cores            int    // that the launcher says are this process's; 0: it does not say
}

// Alone reports whether the process is the only one of its run.
func (p Place) Alone() bool { return p.Size < 2 }

// Serves reports whether this process serves the store.
func (p Place) Serves() bool { return p.Rank == 0 && !p.Agent }

// Address returns the store's host and port.
func (p Place) Address() string { return net.JoinHostPort(p.Host, strconv.Itoa(p.Port)) }

// Threads returns how many cores are this process's.
func (p Place) Threads() int {
	if p.Cores > 0 {
		return p.Cores
	}
	return max(1, runtime.NumCPU()/max(1, p.LocalSize))
}

// FromEnv reads a process's place from its launcher's variables: torchrun's, or else those
// of a step of srun's that has several tasks. A batch script has SLURM_PROCID too, but
// no such step.
func FromEnv(getenv func(string) string) (Place, error) {
	e := &environment{getenv: getenv}
	switch {
	case getenv("RANK") != "" || getenv("WORLD_SIZE") != "":
		return e.torchrun()
	case e.optional("SLURM_STEP_NUM_TASKS", 1) > 1 || e.err != nil:
		return e.srun()
	default:
		return Place{}, nil
	}
}

// environment reads a launcher's variables and keeps the first error.
type environment struct {
	getenv   func(string) string
	launcher string // what says that the variables should be there
	err      error
}

func (e *environment) text(name string) string {
	value := e.getenv(name)
	if value == "" && e.err == nil {
		e.err = fmt.Errorf("%s, but %s is not set: start every process by torchrun, by srun or by --ranks, or unset the launcher's variables to run alone", e.launcher, name)
	}
	return value
}

// number returns a variable's value from least to most.
func (e *environment) number(name string, least, most int) int {
	value := e.text(name)
	n, err := strconv.Atoi(value)
	if e.err == nil && (err != nil || n < least || n > most) {
		e.err = fmt.Errorf("%s=%s: want a number from %d to %d", name, value, least, most)
	}
	return n
}

// optional returns a variable's value, or another if it is not set.
func (e *environment) optional(name string, otherwise int) int {
	if e.getenv(name) == "" {
		return otherwise
	}
	return e.number(name, 0, mostRanks)
}

const (
	mostRanks = 1 << 20
	mostPorts = 1<<16 - 1
)

func (e *environment) torchrun() (Place, error) {
	e.launcher = "RANK or WORLD_SIZE is set, as by torchrun"
	p := Place{Launcher: "torchrun"}
	p.Size = e.number("WORLD_SIZE", 1, mostRanks)
	p.Rank = e.number("RANK", 0, p.Size-1)
	if p.Alone() {
		return p, e.err
	}
	p.LocalSize = e.number("LOCAL_WORLD_SIZE", 1, p.Size)
	p.Local = e.number("LOCAL_RANK", 0, p.LocalSize-1)
	p.Host, p.Port = e.text("MASTER_ADDR"), e.number("MASTER_PORT", 1, mostPorts)
	p.Attempt = e.optional("TORCHELASTIC_RESTART_COUNT", 0)
	p.Agent = e.getenv("TORCHELASTIC_USE_AGENT_STORE") == "True"
	return p, e.err
}

func (e *environment) srun() (Place, error) {
	e.launcher = "SLURM_STEP_NUM_TASKS is more than 1, as of a step of srun's"
	p := Place{Launcher: "srun"}
	p.Size = e.number("SLURM_STEP_NUM_TASKS", 2, mostRanks)
	p.Rank = e.number("SLURM_PROCID", 0, p.Size-1)
	p.LocalSize = e.tasksHere()
	p.Local = e.number("SLURM_LOCALID", 0, p.LocalSize-1)
	if p.Host = e.getenv("MASTER_ADDR"); p.Host == "" {
		p.Host = e.firstHost()
	}
	if p.Port = e.optional("MASTER_PORT", 0); p.Port == 0 {
		p.Port = portOf(e.number("SLURM_JOB_ID", 0, 1<<40), e.number("SLURM_STEP_ID", 0, 1<<40))
	}
	p.Attempt = e.optional("SLURM_RESTART_COUNT", 0)
	p.Cores = e.optional("SLURM_CPUS_PER_TASK", 0)
	return p, e.err
}

// portOf returns the port of a step's store, below those that the system gives to
// connections. Steps that run on a host at the same time have different ports.
func portOf(job, step int) int { return 20000 + (37*job+step)%12000 }

// tasksHere returns how many tasks of the step are on this node, from a list of counts:
// 2(x3),1 for four nodes.
func (e *environment) tasksHere() int {
	list, node := e.text("SLURM_STEP_TASKS_PER_NODE"), e.number("SLURM_NODEID", 0, mostRanks)
	first := 0
	for _, part := range strings.Split(list, ",") {
		tasks, times := 0, 1
		if _, err := fmt.Sscanf(part, "%d(x%d)", &tasks, &times); err != nil && tasks == 0 {
			break
		}
		if first += times; node < first {
			return tasks
		}
	}
	if e.err == nil {
		e.err = fmt.Errorf("SLURM_STEP_TASKS_PER_NODE=%s, SLURM_NODEID=%d: want a list of counts, as 2(x3),1, that includes this node", list, node)
	}
	return 1
}

// firstHost returns the first host of the step's list.
func (e *environment) firstHost() string {
	list := e.text("SLURM_STEP_NODELIST")
	host, ok := firstOf(list)
	if !ok && e.err == nil {
		e.err = fmt.Errorf("SLURM_STEP_NODELIST=%s: want a list of hosts, as n[1-2,5]; or set MASTER_ADDR to the host of rank 0", list)
	}
	return host
}

// firstOf returns the first host of a list such as n[01-02,5],m3 or rack[1-2]n[3-4].
func firstOf(list string) (host string, ok bool) {
	for {
		text, rest, found := strings.Cut(list, "[")
		if name, _, more := strings.Cut(text, ","); more || !found {
			host += name
			return host, host != "" && !strings.Contains(host, "]")
		}
		inside, after, closed := strings.Cut(rest, "]")
		number := inside
		if i := strings.IndexAny(inside, ",-"); i >= 0 {
			number = inside[:i]
		}
		if _, err := strconv.Atoi(number); err != nil || !closed {
			return "", false
		}
		host += text + number
		list = after
	}
}
