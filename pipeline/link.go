package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"fmsr.example/fmsr/pipeline/spec"
)

// link follows the traits down the flow and reports the stages that do not fit. A
// missing trait is reported once: the stages below are checked as if the elements had
// it.
func link(doc *spec.Document, run *Run, flow []Node) {
	l := linker{doc, flow}
	var traits Traits
	for i := range flow {
		n := &flow[i]
		link := n.Decl.Link
		same := func(above Node) bool { return above.Name == n.Name }
		switch {
		case i > 0 && flow[i-1].Decl.Link.End:
			l.report(i, "is below "+flow[i-1].Name+", which sends nothing on", "put it above "+flow[i-1].Name)
			return
		case i == 0 && !n.Decl.Source:
			l.report(i, "starts the flow, but gives no frames", "put "+strings.Join(sources(), " or ")+" above it")
			return
		case i > 0 && n.Decl.Source:
			l.report(i, "starts a flow", "put it first")
			continue
		case link.Bystander && slices.ContainsFunc(flow[:i], same):
			l.report(i, "appears twice, and both would write the same files", "")
			continue
		case link.Needs&Steps == 0 && traits&Steps != 0:
			l.report(i, "takes frames, but "+flow[i-1].Name+" above it gives training steps", "")
		case link.Once && run.Overfit:
			l.report(i, "takes each simulation once, but run.overfit (true unless the spec says otherwise) sends the first simulation twice and no other", "set run.overfit to false")
		default:
			l.compare(i, traits)
			traits |= link.Needs
		}
		traits = link.send(traits)
		n.Traits = traits
	}
}

// advise lets the configs of a flow that has no errors warn of the configs above them.
func advise(flow []Node) {
	var above []any
	for _, n := range flow {
		if a, ok := n.Config.(FlowAdviser); ok {
			a.AdviseFlow(above, n.section.Warn)
		}
		above = append(above, n.Config)
	}
}

// linker reports problems of a flow's stages.
type linker struct {
	doc  *spec.Document
	flow []Node
}

// compare checks the traits that reach the i-th stage. It reports each trait that the
// stage needs or wants and does not get, or refuses and gets.
func (l linker) compare(i int, in Traits) {
	link := l.flow[i].Decl.Link
	if j, t := l.giver(link.Refuses&in, i); j > 0 {
		advice := "put it above " + l.flow[j].Name
		if l.flow[j].Name == l.flow[i].Name {
			advice = "leave one of them out"
		}
		l.report(i, "is below "+l.flow[j].Name+", but takes no "+t.elements(), advice)
	} else if j == 0 {
		l.report(i, "takes no "+t.elements()+", which "+l.flow[0].Name+" gives", "")
	}
	for _, t := range traitNames {
		switch {
		case link.Needs&^in&t.Traits != 0:
			l.report(i, "needs "+t.elements()+l.dropped(t.Traits, i), "put "+l.remedy(t.Traits, i))
		case link.Wants&^in&t.Traits != 0:
			l.doc.Add(l.flow[i].at, flowPath(i, l.flow[i].Name), spec.Diagnostic{
				Severity: spec.Warning, Summary: "gets no " + t.elements() + ": " + link.Without, Detail: "put " + l.remedy(t.Traits, i),
			})
		}
	}
}

func (l linker) report(i int, summary, detail string) {
	l.doc.Add(l.flow[i].at, flowPath(i, l.flow[i].Name), spec.Diagnostic{Summary: summary, Detail: detail})
}

// dropper returns the name of the nearest stage above the i-th that drops a trait, or nothing.
func (l linker) dropper(t Traits, i int) string {
	for j := i - 1; j > 0; j-- {
		if l.flow[j].Decl.Link.Drops&t != 0 && l.flow[j-1].Traits&t != 0 {
			return l.flow[j].Name
		}
	}
	return ""
}

// dropped says which stage drops a trait that the i-th stage needs.
func (l linker) dropped(t Traits, i int) string {
	if name := l.dropper(t, i); name != "" {
		return ", which " + name + " drops"
	}
	return ""
}

// remedy returns how the i-th stage can get a trait: by moving above the stage that
// drops the trait, or below the stage that gives it, or by putting such a stage above
// it.
func (l linker) remedy(t Traits, i int) string {
	if name := l.dropper(t, i); name != "" {
		return "it above " + name
	}
	for _, below := range l.flow[i+1:] {
		if below.Decl.Link.Adds&t != 0 && !below.Decl.Source {
			return "it below " + below.Name
		}
	}
	return strings.Join(givers(t), " or ") + " above it"
}

// giver returns the nearest stage above the i-th that gives any of the traits, and the
// traits that it gives, or -1 if no stage does.
func (l linker) giver(of Traits, i int) (at int, given Traits) {
	for j := i - 1; j >= 0; j-- {
		if given := l.flow[j].Decl.Link.Adds & of; given != 0 {
			return j, given
		}
	}
	return -1, 0
}

func sources() []string {
	return namesOf(func(d Declared) bool { return d.Source })
}

// givers names the stages that give a trait. Sources are named only if no other
// stage gives it: a flow has one already.
func givers(t Traits) []string {
	names := namesOf(func(d Declared) bool { return d.Link.Adds&t != 0 && !d.Source })
	if names == nil {
		names = namesOf(func(d Declared) bool { return d.Link.Adds&t != 0 })
	}
	return names
}

func namesOf(which func(Declared) bool) []string {
	var names []string
	for _, decl := range Declarations() {
		if which(decl) {
			names = append(names, decl.Name)
		}
	}
	return names
}

// flowPath returns the name of the i-th stage of a flow in messages.
func flowPath(i int, name string) string { return fmt.Sprintf("flow[%d].%s", i, name) }
