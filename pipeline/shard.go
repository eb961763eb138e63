package pipeline

import (
	"fmt"
	"strconv"
	"strings"
)

// Shard is the I-th of N equal parts of the work, I = 1..N. The zero value is all of
// it.
type Shard struct{ I, N int }

// ParseShard reads "2/5".
func ParseShard(text string) (Shard, error) {
	i, n, _ := strings.Cut(text, "/")
	s := Shard{}
	var errI, errN error
	s.I, errI = strconv.Atoi(i)
	s.N, errN = strconv.Atoi(n)
	if errI != nil || errN != nil || s.I < 1 || s.I > s.N {
		return Shard{}, fmt.Errorf("shard %q: want I/N, I from 1 to N: 1/4, 2/4, 3/4, 4/4", text)
	}
	return s, nil
}

// SlurmShard returns the shard of a task of a Slurm job array, from its environment
// (SLURM_ARRAY_TASK_ID, _MIN, _STEP, _COUNT), and all of the work outside a job array.
// It assumes evenly spaced IDs.
func SlurmShard(getenv func(string) string) (Shard, error) {
	if getenv("SLURM_ARRAY_TASK_COUNT") == "" {
		return Shard{}, nil
	}
	number := func(name string) int {
		n, err := strconv.Atoi(getenv(name))
		if err != nil {
			return -1
		}
		return n
	}
	id, first, step := number("SLURM_ARRAY_TASK_ID"), max(0, number("SLURM_ARRAY_TASK_MIN")), max(1, number("SLURM_ARRAY_TASK_STEP"))
	s := Shard{I: (id-first)/step + 1, N: number("SLURM_ARRAY_TASK_COUNT")}
	if s.I < 1 || s.I > s.N {
		return Shard{}, fmt.Errorf("SLURM_ARRAY_TASK_ID=%s, SLURM_ARRAY_TASK_MIN=%s, SLURM_ARRAY_TASK_COUNT=%s: want evenly spaced IDs, or give --shard I/N",
			getenv("SLURM_ARRAY_TASK_ID"), getenv("SLURM_ARRAY_TASK_MIN"), getenv("SLURM_ARRAY_TASK_COUNT"))
	}
	return s, nil
}

// Among returns the part of the shard that one of several processes works on. All of them
// together work on the shard.
func (s Shard) Among(process, processes int) Shard {
	if processes < 2 {
		return s
	}
	if s.N < 2 {
		s = Shard{1, 1}
	}
	return Shard{s.I + s.N*process, s.N * processes}
}

// Has reports whether the shard includes the i-th item, counted from 0.
func (s Shard) Has(i int) bool { return s.N < 2 || i%s.N == s.I-1 }

func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.I, s.N) }
