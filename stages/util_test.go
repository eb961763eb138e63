package stages

import (
	"encoding/json"
	"fmt"
	"testing"
)

func sprint(v any) string                       { return fmt.Sprint(v) }
func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
