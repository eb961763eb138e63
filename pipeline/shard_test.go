package pipeline

import (
	"slices"
	"strings"
	"testing"
)

func TestParseShard(t *testing.T) {
	for text, want := range map[string]Shard{"1/1": {1, 1}, "2/5": {2, 5}, "5/5": {5, 5}} {
		if got, err := ParseShard(text); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0/5", "6/5", "1", "/", "a/b", "1/5/6", "-1/5", "1/0"} {
		if _, err := ParseShard(text); err == nil || !strings.Contains(err.Error(), "want I/N") {
			t.Errorf("%q: error %v, want what it should be", text, err)
		}
	}
}

// TestShardsCover: every item is in exactly one shard.
func TestShardsCover(t *testing.T) {
	for n := 1; n < 8; n++ {
		for item := range 20 {
			times := 0
			for i := range n {
				if (Shard{i + 1, n}).Has(item) {
					times++
				}
			}
			if times != 1 {
				t.Errorf("item %d is in %d of %d shards", item, times, n)
			}
		}
	}
	if !(Shard{}).Has(3) {
		t.Error("the whole lacks an item")
	}
}

func TestSlurmShard(t *testing.T) {
	env := func(id, first, count string) func(string) string {
		return func(name string) string {
			return map[string]string{"SLURM_ARRAY_TASK_ID": id, "SLURM_ARRAY_TASK_MIN": first, "SLURM_ARRAY_TASK_COUNT": count}[name]
		}
	}
	for _, c := range []struct {
		id, first, count string
		want             Shard
	}{{"", "", "", Shard{}}, {"0", "0", "4", Shard{1, 4}}, {"3", "0", "4", Shard{4, 4}}, {"1", "1", "4", Shard{1, 4}}, {"2", "", "4", Shard{3, 4}}} {
		if got, err := SlurmShard(env(c.id, c.first, c.count)); err != nil || got != c.want {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
	stepped := func(name string) string {
		return map[string]string{"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_STEP": "2", "SLURM_ARRAY_TASK_COUNT": "4"}[name]
	}
	if got, err := SlurmShard(stepped); err != nil || got != (Shard{3, 4}) {
		t.Errorf("ID 4 of 0-6:2: %v, %v; want 3/4", got, err)
	}
	for _, bad := range [][3]string{{"4", "0", "4"}, {"x", "0", "4"}, {"1", "0", "many"}, {"0", "1", "4"}} {
		if _, err := SlurmShard(env(bad[0], bad[1], bad[2])); err == nil {
			t.Errorf("%v: want an error", bad)
		}
	}
}

// TestFitOrder: a run fits its own share first and then every other part once, so that of
// three runs at once none fits another's share from where that one begins.
func TestFitOrder(t *testing.T) {
	for shard, want := range map[Shard][]int{
		{1, 3}: {0, 3, 6, 4, 1, 5, 2}, {2, 3}: {1, 4, 5, 2, 6, 3, 0}, {3, 3}: {2, 5, 6, 3, 0, 4, 1}, {4, 4}: {3, 4, 0, 5, 1, 6, 2},
	} {
		r := &runner{env: &Env{Shard: shard}}
		if got := r.fitOrder(7); !slices.Equal(got, want) {
			t.Errorf("shard %v: %v, want %v", shard, got, want)
		}
	}
}

// TestAmong: the processes of a shard together work on the shard.
func TestAmong(t *testing.T) {
	for _, s := range []Shard{{}, {1, 1}, {2, 3}, {3, 3}} {
		if got := s.Among(0, 1); got != s {
			t.Errorf("shard %v of one process: %v", s, got)
		}
		for item := range 40 {
			times := 0
			for process := range 4 {
				if s.Among(process, 4).Has(item) {
					times++
				}
			}
			if want := map[bool]int{true: 1}[s.Has(item)]; times != want {
				t.Errorf("shard %v: %d of 4 processes work on item %d, want %d", s, times, item, want)
			}
		}
	}
}
