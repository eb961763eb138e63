package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// link follows the traits down the flow and reports the stages that do not fit.
// A stage that needs something is reported once: those below it are checked as
// if it had been given.
func (d *decoder) link(flow []Node) {
	var traits Traits
	for i := range flow {
		n := &flow[i]
		path := fmt.Sprintf("flow[%d].%s", i, n.Name)
		link := n.Decl.Link
		switch {
		case i == 0 && !link.Source:
			d.report(n.at, path, "starts the flow, but gives no frames: put %s above it", strings.Join(sources(), " or "))
			return
		case i > 0 && link.Source:
			d.report(n.at, path, "starts a flow: it can only stand first")
			continue
		case link.Bystander && slices.ContainsFunc(flow[:i], func(above Node) bool { return above.Name == n.Name }):
			d.report(n.at, path, "stands in the flow twice, and would write the same files")
			continue
		case link.Needs&Steps == 0 && traits&Steps != 0:
			d.report(n.at, path, "takes frames, but %s above it gives training steps", flow[i-1].Name)
		default:
			for _, missing := range traitNames {
				if link.Needs&^traits&missing.Traits != 0 {
					d.report(n.at, path, "needs %s: put %s", elements(missing.Traits), remedy(missing.Traits, flow[:i]))
				}
			}
			traits |= link.Needs
		}
		traits = link.send(traits)
		n.Traits = traits
	}
}

// elements names what has a trait: "batched frames".
func elements(t Traits) string {
	if t == Steps {
		return t.String()
	}
	return t.String() + " frames"
}

// remedy says where a trait can be had: above the stage that took it away, or
// below one that gives it.
func remedy(t Traits, above []Node) string {
	for i := len(above) - 1; i > 0; i-- {
		if above[i].Decl.Link.Drops&t != 0 && above[i-1].Traits&t != 0 {
			return "it above " + above[i].Name
		}
	}
	return strings.Join(givers(t), " or ") + " above it"
}

func sources() []string {
	return namesOf(func(l Link) bool { return l.Source })
}

// givers are the stages that give a trait: sources, which stand first and
// would replace another, where no other does.
func givers(t Traits) []string {
	names := namesOf(func(l Link) bool { return l.Adds&t != 0 && !l.Source })
	if names == nil {
		names = namesOf(func(l Link) bool { return l.Adds&t != 0 })
	}
	return names
}

func namesOf(which func(Link) bool) []string {
	var names []string
	for _, decl := range Declarations() {
		if which(decl.Link) {
			names = append(names, decl.Name)
		}
	}
	return names
}
