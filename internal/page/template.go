package page

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"regexp"
	"strings"
)

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"policy":  policy,
	"scripts": func() (all []template.JS) { return as[template.JS](scripts) },
	"styles":  func() (all []template.CSS) { return as[template.CSS](styles) },
	"emphasis": func(sentence string) (parts []part) {
		at := 0
		for _, m := range number.FindAllStringIndex(sentence, -1) {
			parts = append(parts, part{sentence[at:m[0]], false}, part{sentence[m[0]:m[1]], true})
			at = m[1]
		}
		return append(parts, part{sentence[at:], false})
	},
}).Parse(text("page.html")))

// part is a piece of a sentence.
type part struct {
	Text   string
	Strong bool
}

// number matches the figures of a verdict.
var number = regexp.MustCompile(`[0-9]+\.[0-9]+|[0-9]+%`)

func as[T ~string](texts []string) (all []T) {
	for _, t := range texts {
		all = append(all, T(t))
	}
	return all
}

// policy allows a report its own scripts, styles and pictures, and nothing else.
func policy() string {
	return "default-src 'none'; img-src data:; script-src " + hashes(scripts) + "; style-src " + hashes(styles) + "; base-uri 'none'; form-action 'none'"
}

func hashes(texts []string) string {
	var all []string
	for _, t := range texts {
		sum := sha256.Sum256([]byte(t))
		all = append(all, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	return strings.Join(all, " ")
}
