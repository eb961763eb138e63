package ranks

import (
	"strings"
	"testing"
)

// env returns a getenv of NAME=VALUE pairs.
func env(pairs string) func(string) string {
	values := map[string]string{}
	for _, pair := range strings.Fields(pairs) {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

const (
	torchrunEnv = "RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 LOCAL_WORLD_SIZE=2 MASTER_ADDR=n1 MASTER_PORT=29500 TORCHELASTIC_RESTART_COUNT=2 "
	srunEnv     = "SLURM_JOB_ID=71 SLURM_STEP_ID=2 SLURM_STEP_NUM_TASKS=5 SLURM_PROCID=4 SLURM_LOCALID=0 SLURM_NODEID=2 SLURM_STEP_TASKS_PER_NODE=2(x2),1 SLURM_STEP_NODELIST=n[1-2,5] "
)

func TestFromEnv(t *testing.T) {
	for _, c := range []struct {
		name, env string
		want      Place
	}{
		{"nothing", "", Place{}},
		{"a batch script", "SLURM_JOB_ID=71 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=4", Place{}},
		{"a step of one task", "SLURM_JOB_ID=71 SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0", Place{}},
		{"torchrun alone", "RANK=0 WORLD_SIZE=1", Place{Size: 1, Launcher: "torchrun"}},
		{"torchrun", torchrunEnv, Place{Rank: 3, Size: 4, Local: 1, LocalSize: 2, Host: "n1", Port: 29500, Attempt: 2, Launcher: "torchrun"}},
		{"torchrun within srun", srunEnv + torchrunEnv, Place{Rank: 3, Size: 4, Local: 1, LocalSize: 2, Host: "n1", Port: 29500, Attempt: 2, Launcher: "torchrun"}},
		{"rank 0 serves", torchrunEnv + "RANK=0", Place{Size: 4, Local: 1, LocalSize: 2, Host: "n1", Port: 29500, Attempt: 2, Launcher: "torchrun"}},
		{"the agent serves", torchrunEnv + "RANK=0 TORCHELASTIC_USE_AGENT_STORE=True", Place{Size: 4, Local: 1, LocalSize: 2, Host: "n1", Port: 29500, Attempt: 2, Launcher: "torchrun", Agent: true}},
		{"srun", srunEnv, Place{Rank: 4, Size: 5, Local: 0, LocalSize: 1, Host: "n1", Port: 22629, Launcher: "srun"}},
		{"srun with an address", srunEnv + "MASTER_ADDR=login MASTER_PORT=77 SLURM_CPUS_PER_TASK=8 SLURM_PROCID=0 SLURM_NODEID=1 SLURM_LOCALID=1 SLURM_RESTART_COUNT=1",
			Place{Rank: 0, Size: 5, Local: 1, LocalSize: 2, Host: "login", Port: 77, Launcher: "srun", Cores: 8, Attempt: 1}},
	} {
		got, err := FromEnv(env(c.env))
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v\nwant %+v", c.name, got, err, c.want)
		}
	}
}

func TestFromEnvRefuses(t *testing.T) {
	for _, c := range []struct{ env, want string }{
		{"RANK=0", "WORLD_SIZE is not set"},
		{"WORLD_SIZE=2", "RANK is not set"},
		{"RANK=2 WORLD_SIZE=2", "RANK=2: want a number from 0 to 1"},
		{"RANK=x WORLD_SIZE=2", "RANK=x: want a number"},
		{strings.Replace(torchrunEnv, "MASTER_ADDR=n1", "", 1), "MASTER_ADDR is not set"},
		{strings.Replace(torchrunEnv, "MASTER_PORT=29500", "", 1), "MASTER_PORT is not set"},
		{torchrunEnv + "MASTER_PORT=70000", "MASTER_PORT=70000: want a number from 1 to 65535"},
		{strings.Replace(torchrunEnv, "LOCAL_RANK=1", "", 1), "LOCAL_RANK is not set"},
		{torchrunEnv + "LOCAL_RANK=2", "LOCAL_RANK=2: want a number from 0 to 1"},
		{"SLURM_STEP_NUM_TASKS=many", "SLURM_STEP_NUM_TASKS=many"},
		{strings.Replace(srunEnv, "SLURM_PROCID=4", "", 1), "SLURM_PROCID is not set"},
		{srunEnv + "SLURM_STEP_TASKS_PER_NODE=2(x2)", "SLURM_NODEID=2: want a list of counts"},
		{srunEnv + "SLURM_STEP_NODELIST=n[", "SLURM_STEP_NODELIST=n[: want a list of hosts"},
	} {
		if _, err := FromEnv(env(c.env)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.env, err, c.want)
		}
	}
}

func TestFirstOf(t *testing.T) {
	for list, want := range map[string]string{
		"n1": "n1", "n1,n2": "n1", "n[1-2,5]": "n1", "gpu[007-012],cpu3": "gpu007", "node-a,n[1-2]": "node-a",
		"rack[1-2]n[3-4]": "rack1n3", "n[3,5]-ib": "n3-ib", "a.b.c": "a.b.c", "n[4],m": "n4",
		"": "", "n[": "", "n[]": "", "n[a-b]": "", "n]": "",
	} {
		if got, ok := firstOf(list); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v, want %q", list, got, ok, want)
		}
	}
}

func TestThreads(t *testing.T) {
	if got := (Place{LocalSize: 1 << 16}).Threads(); got != 1 {
		t.Errorf("%d threads for a process among more than there are cores, want 1", got)
	}
	if got := (Place{LocalSize: 4, Cores: 3}).Threads(); got != 3 {
		t.Errorf("%d threads, want the launcher's 3", got)
	}
}
