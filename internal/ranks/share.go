package ranks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// largest is the most bytes of a value in the store.
const largest = 1 << 20

// Share returns on every rank what rank 0 makes. what names it, for messages.
func (g *Group) Share(ctx context.Context, what string, make func() ([]byte, error)) (data []byte, err error) {
	g.turn++
	key := g.key("shared/%d", g.turn)
	if g.Rank == 0 {
		if data, err = make(); err != nil {
			return nil, err
		}
		return data, g.Explain(ctx, g.call(ctx, func() error { return g.put(key, data) }))
	}
	err = g.Waiting(ctx, "wait for "+g.Name(0)+", "+what, func() (err error) {
		data, err = g.take(ctx, key)
		return err
	})
	return data, err
}

// put sets a value, which may be larger than the store's.
func (g *Group) put(key string, data []byte) error {
	n := 0
	for part := range slices.Chunk(data, largest) {
		if err := g.store.Set(fmt.Sprintf("%s/%d", key, n), part); err != nil {
			return err
		}
		n++
	}
	return g.store.Set(key, fmt.Append(nil, n))
}

// take waits for a value that put has set.
func (g *Group) take(ctx context.Context, key string) (data []byte, err error) {
	parts, err := g.await(ctx, key)
	if err != nil {
		return nil, err
	}
	n := 0
	if _, err := fmt.Sscan(string(parts), &n); err != nil {
		return nil, fmt.Errorf("the ranks' store: %s: %w", key, err)
	}
	for i := range n {
		part, err := g.await(ctx, fmt.Sprintf("%s/%d", key, i))
		if err != nil {
			return nil, err
		}
		data = append(data, part...)
	}
	return data, nil
}

// remove removes a value that put has set, and that no rank will take any more.
func (g *Group) remove(ctx context.Context, key string) error {
	return g.call(ctx, func() error {
		_, err := g.store.Delete(key)
		for i := 0; err == nil; i++ {
			was := false
			if was, err = g.store.Delete(fmt.Sprintf("%s/%d", key, i)); !was {
				break
			}
		}
		return err
	})
}

// Fact is something that must be the same on all ranks.
type Fact struct{ Name, Value string }

// Compare returns an error that names the first rank whose facts are not rank 0's, and
// what differs. It is the same *PeerError on every rank, which rank 0 reports.
func (g *Group) Compare(ctx context.Context, facts []Fact) error {
	g.turn++
	mine, _ := json.Marshal(facts) // strings
	key := g.key("facts/%d", g.turn)
	if g.Rank > 0 {
		if err := g.Explain(ctx, g.call(ctx, func() error { return g.put(fmt.Sprintf("%s/%d", key, g.Rank), mine) })); err != nil {
			return err
		}
	}
	data, err := g.Share(ctx, "which compares all ranks", func() ([]byte, error) {
		for r := 1; r < g.Size; r++ {
			var theirs []Fact
			err := g.Waiting(ctx, "wait for "+g.Name(r), func() error {
				data, err := g.take(ctx, fmt.Sprintf("%s/%d", key, r))
				if err == nil {
					err = json.Unmarshal(data, &theirs)
				}
				return errors.Join(err, g.remove(ctx, fmt.Sprintf("%s/%d", key, r)))
			})
			if err != nil {
				return nil, err
			}
			if why := g.differ(facts, theirs); why != "" {
				return json.Marshal(Failure{Rank: r, Host: g.Hosts[r], Input: true, Why: why})
			}
		}
		return nil, nil
	})
	if err != nil || len(data) == 0 {
		return err
	}
	different := &PeerError{Reports: g.Rank == 0}
	return cmp.Or[error](json.Unmarshal(data, &different.Failure), different)
}

// differ returns how a rank's facts differ from rank 0's; empty: not at all.
func (g *Group) differ(first, theirs []Fact) string {
	for i, want := range first {
		got := Fact{Value: "missing"}
		if i < len(theirs) {
			got = theirs[i]
		}
		if got != want {
			return fmt.Sprintf("differs from %s: its %s is %s, want %s", g.Name(0), want.Name, got.Value, want.Value)
		}
	}
	return ""
}

// Gather returns the data of all ranks, of any lengths. what is what they do for messages.
func (g *Group) Gather(ctx context.Context, what string, data []byte) (all [][]byte, err error) {
	err = g.Waiting(ctx, what, func() (err error) {
		all, err = g.Collectives.AllGather(ctx, data)
		return err
	})
	return all, err
}

// InTurn runs f on rank 0 first, then on the first rank of every other machine, and then on
// all others, so that ranks that share a folder do not make the same files in it at once.
func (g *Group) InTurn(ctx context.Context, what string, f func() error) error {
	g.turn++
	key := g.key("turn/%d", g.turn)
	var after []int // the ranks to wait for
	if g.Rank > 0 {
		after = append(after, 0)
	}
	if leader := slices.Index(g.Hosts, g.Hosts[g.Rank]); leader != g.Rank && leader != 0 {
		after = append(after, leader)
	}
	for _, r := range after {
		err := g.Waiting(ctx, "wait for "+g.Name(r)+", "+what, func() error {
			_, err := g.await(ctx, fmt.Sprintf("%s/%d", key, r))
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := f(); err != nil {
		return err
	}
	return g.Explain(ctx, g.call(ctx, func() error { return g.store.Set(fmt.Sprintf("%s/%d", key, g.Rank), nil) }))
}
