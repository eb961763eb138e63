package exportset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

const whole = `{"format":"arrow","files":[{"path":"seed_0000.arrow","rows":3,"bytes":100,"sha256":"00","seed":0,"split":"train"}],
"channel_names":["a"],"h":4,"w":4,"mean":[1],"std":[2],"factor":2,"boundary":"clamp","normalized":false}`

func TestParse(t *testing.T) {
	m, err := Parse([]byte(whole))
	if err != nil || len(m.Files) != 1 || m.Files[0].Path != "seed_0000.arrow" || m.Files[0].Rows != 3 || m.Files[0].Split != "train" || m.Std[0] != 2 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestParseRefuses(t *testing.T) {
	file := `{"path":"seed_0000.arrow","rows":3,"bytes":100,"sha256":"00","seed":0,"split":"train"}`
	for _, c := range []struct{ old, new, want string }{
		{whole, "", "not a manifest: unexpected end"},
		{whole, "{}", "not a manifest of an export"},
		{whole, "[]", "not a manifest"},
		{`"h":4`, `"h":0`, "not a manifest of an export"},
		{`"mean":[1]`, `"mean":[1,2]`, "2 means and 1 deviations of 1 channels"},
		{`"mean":[1],"std":[2]`, `"mean":null,"std":null,"normalized":true`, ""}, // the last one counts: false
		{`"std":[2]`, `"std":null`, "1 means and 0 deviations"},
		{`"factor":2`, `"factor":1`, "factor 1"},
		{`seed_0000.arrow`, `../seed_0000.arrow`, `"../seed_0000.arrow": want a path within the folder`},
		{`seed_0000.arrow`, `/etc/passwd`, "within the folder"},
		{`["a"]`, `["../a"]`, `channel_names: the name of field 0 is "../a": want a name`},
		{`"split":"train"`, `"split":"dev"`, `split "dev"`},
		{`"rows":3`, `"rows":0`, "0 rows"},
		{`"bytes":100`, `"bytes":-1`, "-1 bytes"},
		{file, file + "," + file, "it is listed twice"},
	} {
		_, err := Parse([]byte(strings.Replace(whole, c.old, c.new, 1)))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.new, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want %q", c.new, err, c.want)
		}
	}
}

func TestReadNamesThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), ManifestName)
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.HasPrefix(err.Error(), path) {
		t.Errorf("half a file: %v", err)
	}
}

// FuzzManifest: whatever the bytes, an error or a manifest that holds what it promises.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(`{"files":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m Manifest
		var err error
		fuzzlimit.Run(t, len(data), func() { m, err = Parse(data) })
		if err != nil {
			return
		}
		if m.Mean != nil && len(m.Mean) != len(m.ChannelNames) || len(m.Files) == 0 {
			t.Errorf("accepted %+v", m)
		}
		for _, file := range m.Files {
			if !filepath.IsLocal(file.Path) {
				t.Errorf("accepted the path %q", file.Path)
			}
		}
	})
}
