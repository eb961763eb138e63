package dataset

import (
	"regexp"
	"slices"
)

// usual are the names of fields in their usual order: density, velocities, pressure and energy,
// magnetic fields, currents.
var usual = []*regexp.Regexp{
	regexp.MustCompile(`(?i)^(rho|dens|density|d)$`),
	regexp.MustCompile(`(?i)^((v|u|vel|velocity|mom)[_-]?([xyz123r]|phi|theta)|[uvw])$`),
	regexp.MustCompile(`(?i)^(p|pres|press|pressure|eint|e|ener|energy|temp|temperature)$`),
	regexp.MustCompile(`(?i)^(b|bcc|mag|bfield)[_-]?([xyz123r]|phi|theta)$`),
	regexp.MustCompile(`(?i)^(j|jcc|current)[_-]?([xyz123r]|phi|theta)$`),
}

// place returns the place of a field's name in the usual order; len(usual): it has none.
func place(name string) int {
	at := slices.IndexFunc(usual, func(r *regexp.Regexp) bool { return r.MatchString(name) })
	if at < 0 {
		return len(usual)
	}
	return at
}

// UsualOrder compares the names of fields: the usual ones are first. Components of a vector are
// equal.
func UsualOrder(a, b string) int { return place(a) - place(b) }

// IsUsual reports whether a field has one of the usual names.
func IsUsual(name string) bool { return place(name) < len(usual) }
