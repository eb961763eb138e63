package sinks

import (
	"fmt"
	"strings"
	"testing"
)

// TestPhysicsNames: fields are called by their usual names; what cannot be is named.
func TestPhysicsNames(t *testing.T) {
	for names, want := range map[string]string{
		"":                "rho b1 jz",
		"rho=density":     "density b1 jz",
		"rho=velx,b1=Bx":  "velx Bx jz",
		"b2=By":           "names has b2=By, but the fields are rho, b1, jz",
		"b1=jz":           "names has b1=jz, but another field is called jz",
		"jz=jz":           "rho b1 jz",
		"rho":             `has "rho": want FIELD=NAME`,
		"rho=pressure":    `has "rho=pressure": want FIELD=NAME`,
		"rho=Bx,b1=Bx":    "want each field and each name once",
		"rho=Bx,rho=velx": "want each field and each name once",
	} {
		c := Physics{}
		if names != "" {
			c.Names = strings.Split(names, ",")
		}
		got := ""
		c.Validate(nil, func(_, format string, args ...any) { got += fmt.Sprintf(format, args...) })
		if got == "" {
			fields, err := c.named([]string{"rho", "b1", "jz"})
			if got = strings.Join(fields, " "); err != nil {
				got = err.Error()
			}
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", names, got, want)
		}
	}
}
