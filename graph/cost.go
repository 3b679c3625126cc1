package graph

import "github.com/vektah/gqlparser/v2/ast"

// cost is what a selection set comes to.
type cost struct {
	width                             int // fields on the outermost level
	fields, depth                     int
	aliases, directives               int
	introspection, introspectionDepth int // fields and depth below __schema and __type
}

// enough is where counting stops: a fragment bomb would overflow an int.
const enough = 1 << 30

func add(a, b int) int { return min(a+b, enough) }

// join adds what stands beside.
func (c *cost) join(other cost) {
	c.width = add(c.width, other.width)
	c.fields = add(c.fields, other.fields)
	c.depth = max(c.depth, other.depth)
	c.aliases = add(c.aliases, other.aliases)
	c.directives = add(c.directives, other.directives)
	c.introspection = add(c.introspection, other.introspection)
	c.introspectionDepth = max(c.introspectionDepth, other.introspectionDepth)
}

// tally counts each fragment of a document once.
type tally struct {
	fragments ast.FragmentDefinitionList
	known     map[string]*cost // nil while a fragment is being counted
}

func (t tally) set(selections ast.SelectionSet) (sum cost) {
	for _, s := range selections {
		sum.join(t.selection(s))
	}
	return sum
}

func (t tally) selection(s ast.Selection) cost {
	switch s := s.(type) {
	case *ast.Field:
		one := t.set(s.SelectionSet)
		one.directives = add(one.directives, len(s.Directives))
		if s.Alias != s.Name {
			one.aliases = add(one.aliases, 1)
		}
		one.fields, one.depth, one.width = add(one.fields, 1), add(one.depth, 1), 1
		if s.Name == "__schema" || s.Name == "__type" {
			one.introspection, one.fields = add(one.introspection, one.fields+introspectionBase), 0
			one.introspectionDepth, one.depth = max(one.introspectionDepth, one.depth), 0
		}
		return one
	case *ast.InlineFragment:
		one := t.set(s.SelectionSet)
		one.directives = add(one.directives, len(s.Directives))
		one.fields, one.depth = add(one.fields, 1), add(one.depth, 1)
		return one
	case *ast.FragmentSpread:
		one := t.fragment(s.Name)
		one.directives = add(one.directives, len(s.Directives))
		one.fields = add(one.fields, 1)
		return one
	}
	return cost{}
}

// fragment is what the fragment of that name comes to. One that is not there, or that contains itself, is left to
// validation.
func (t tally) fragment(name string) cost {
	if done, ok := t.known[name]; ok {
		if done == nil {
			return cost{}
		}
		return *done
	}
	f := t.fragments.ForName(name)
	if f == nil {
		return cost{}
	}
	t.known[name] = nil
	one := t.set(f.SelectionSet)
	one.directives = add(one.directives, len(f.Directives))
	t.known[name] = &one
	return one
}
