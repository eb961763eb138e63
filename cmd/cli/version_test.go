package cli

import (
	"runtime/debug"
	"testing"
)

func TestVersionOf(t *testing.T) {
	const commit = "5b4edec57b222bd42a4674f7612f47d7b84d1309"
	for _, c := range []struct{ module, revision, modified, want string }{
		{"v1.2.3", commit, "false", "v1.2.3 (5b4edec57b22)"},
		{"v1.2.3+dirty", commit, "true", "5b4edec57b22+changes"},
		{"v1.2.4-0.20261129173702-5b4edec57b22", commit, "false", "5b4edec57b22"},
		{"v0.0.0-20261129173702-5b4edec57b22+dirty", commit, "true", "5b4edec57b22+changes"},
		{"(devel)", commit, "false", "5b4edec57b22"},
		{"(devel)", "", "", "(devel)"},
		{"v1.2.3", "", "", "v1.2.3"},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: c.module}}
		info.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: c.revision}, {Key: "vcs.modified", Value: c.modified}}
		if got := versionOf(info); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
