package graph

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// Limits say how much a request may ask for. Each is named, in camel case and without its Max, in the answer to a
// request that is over it. A limit of 0 stands for the default.
type Limits struct {
	MaxBody       int // bytes of a request body; 64 KiB
	MaxTokens     int // lexical tokens of a document; 1000
	MaxDepth      int // selections in one another, inline fragments among them; 10
	MaxRootFields int // fields of an operation itself; 10
	MaxAliases    int // 15
	MaxDirectives int // 50
	MaxFields     int // fields and fragments; 500
	MaxFragments  int // fragments defined: validation compares each with each; 50
	MaxRepeats    int // times one place in the answer is asked for: validation compares each with each; 30
	MaxNodes      int // objects in the answer's lists, by the `first` of each; 1000
}

// withDefaults fills in what is 0.
func (l Limits) withDefaults() Limits {
	return Limits{
		MaxBody:       cmp.Or(l.MaxBody, 64<<10),
		MaxTokens:     cmp.Or(l.MaxTokens, 1000),
		MaxDepth:      cmp.Or(l.MaxDepth, 10),
		MaxRootFields: cmp.Or(l.MaxRootFields, 10),
		MaxAliases:    cmp.Or(l.MaxAliases, 15),
		MaxDirectives: cmp.Or(l.MaxDirectives, 50),
		MaxFields:     cmp.Or(l.MaxFields, 500),
		MaxFragments:  cmp.Or(l.MaxFragments, 50),
		MaxRepeats:    cmp.Or(l.MaxRepeats, 30),
		MaxNodes:      cmp.Or(l.MaxNodes, 1000),
	}
}

// Introspection has limits of its own, in development only: what GraphiQL and code generators ask for, which is 15 deep
// and some 250 fields, and not much more. Each __schema and __type counts as that many fields itself, or aliases of it would
// print the schema many times over.
const (
	maxIntrospectionDepth  = 20
	maxIntrospectionFields = 500
	introspectionBase      = 100
)

// listLength is how many objects a list is taken to have that is no page: of an order's lines, say.
const listLength = 5

// TooComplexError says that a request is over a limit.
type TooComplexError struct {
	Limit string // its name
	Max   int
}

func (e *TooComplexError) Error() string {
	return fmt.Sprintf("graph: more %s than %d", e.Limit, e.Max)
}

// budget refuses documents that would cost too much, before they are validated: validation itself is quadratic in
// places. Everything is counted with fragments expanded, yet in linear time, since each fragment is counted once.
type budget struct {
	limits        Limits
	introspection bool
	seen          graphql.Cache[*ast.QueryDocument] // documents that were counted and found valid
}

var (
	_ graphql.OperationParameterMutator = budget{}
	_ graphql.OperationContextMutator   = budget{}
)

// ExtensionName implements graphql.HandlerExtension.
func (budget) ExtensionName() string { return "Budget" }

// Validate implements graphql.HandlerExtension.
func (budget) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters counts a document not seen before. gqlgen parses and validates in one go and offers no hook
// between the two, so the document is parsed here once more: 5 to 10 % on top of a validation.
func (b budget) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	if _, ok := b.seen.Get(ctx, params.Query); ok {
		return nil
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: params.Query}, b.limits.MaxTokens)
	if err == nil {
		if err := b.check(doc); err != nil {
			return gqlerror.Wrap(err)
		}
		return nil
	}
	fault, ok := err.(*gqlerror.Error)
	switch {
	case !ok:
		return gqlerror.Wrap(err)
	case strings.HasPrefix(fault.Message, "exceeded token limit"): // gqlparser has no other sign of it
		return gqlerror.Wrap(&TooComplexError{"tokens", b.limits.MaxTokens})
	}
	errcode.Set(fault, errcode.ParseFailed)
	return fault
}

// check finds what in doc is over its limit. Fields are those of all operations, since all are validated, and of the
// fragments that nobody uses; the rest is for each operation.
func (b budget) check(doc *ast.QueryDocument) error {
	if len(doc.Fragments) > b.limits.MaxFragments {
		return &TooComplexError{"fragments", b.limits.MaxFragments}
	}
	t := tally{fragments: doc.Fragments, known: map[string]*cost{}}
	var (
		costs []cost
		roots []ast.SelectionSet // what they are of
	)
	for _, o := range doc.Operations {
		one := t.set(o.SelectionSet)
		one.directives = add(one.directives, len(o.Directives))
		for _, v := range o.VariableDefinitions {
			one.directives = add(one.directives, len(v.Directives))
		}
		costs, roots = append(costs, one), append(roots, o.SelectionSet)
	}
	for _, f := range doc.Fragments {
		if t.known[f.Name] != nil && doc.Fragments.ForName(f.Name) == f {
			continue
		}
		// Nothing spreads this one, or another one of its name comes first.
		one := t.set(f.SelectionSet)
		one.width = 0
		one.directives = add(one.directives, len(f.Directives))
		costs, roots = append(costs, one), append(roots, f.SelectionSet)
	}
	var fields, introspection int
	for _, one := range costs {
		fields, introspection = add(fields, one.fields), add(introspection, one.introspection)
		if introspection > 0 && !b.introspection {
			return errIntrospectionOff
		}
		for _, l := range []struct {
			name     string
			got, max int
		}{
			{"fields", fields, b.limits.MaxFields},
			{"rootFields", one.width, b.limits.MaxRootFields},
			{"depth", one.depth, b.limits.MaxDepth},
			{"aliases", one.aliases, b.limits.MaxAliases},
			{"directives", one.directives, b.limits.MaxDirectives},
			{"introspectionFields", introspection, maxIntrospectionFields},
			{"introspectionDepth", one.introspectionDepth, maxIntrospectionDepth},
		} {
			if l.got > l.max {
				return &TooComplexError{l.name, l.max}
			}
		}
	}
	return b.checkRepeats(doc, roots)
}

// place is a place in the answer: how many fields are meant for it, and the places below.
type place struct {
	times int
	below map[string]*place
}

// checkRepeats finds the place that is asked for most. It walks a fragment wherever it is spread, so it is for documents
// whose fields were found few; only circles of fragments, which were counted once, can make it walk more. Validation compares what is in an inline
// fragment once more for each that is around it, so it counts as often.
func (b budget) checkRepeats(doc *ast.QueryDocument, roots []ast.SelectionSet) error {
	steps, within := b.limits.MaxFields+maxIntrospectionFields, map[string]bool{}
	var walk func(at *place, selections ast.SelectionSet, weight int) error
	walk = func(at *place, selections ast.SelectionSet, weight int) (err error) {
		for _, s := range selections {
			if steps--; steps < 0 {
				return &TooComplexError{"fields", b.limits.MaxFields}
			}
			switch s := s.(type) {
			case *ast.Field:
				next := at.child(s.Alias)
				if next.times += weight; next.times > b.limits.MaxRepeats {
					return &TooComplexError{"repeats", b.limits.MaxRepeats}
				}
				err = walk(next, s.SelectionSet, weight)
			case *ast.InlineFragment:
				err = walk(at, s.SelectionSet, weight+1)
			case *ast.FragmentSpread:
				if f := doc.Fragments.ForName(s.Name); f != nil && !within[s.Name] {
					within[s.Name] = true
					err = walk(at, f.SelectionSet, weight)
					within[s.Name] = false
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for _, r := range roots {
		if err := walk(&place{}, r, 1); err != nil {
			return err
		}
	}
	return nil
}

func (p *place) child(name string) *place {
	if p.below == nil {
		p.below = map[string]*place{}
	}
	next := p.below[name]
	if next == nil {
		next = &place{}
		p.below[name] = next
	}
	return next
}

// MutateOperationContext counts the objects an operation asks for, now that its variables are known.
func (b budget) MutateOperationContext(_ context.Context, o *graphql.OperationContext) *gqlerror.Error {
	if nodes(o, o.Operation.SelectionSet, 1, false) > b.limits.MaxNodes {
		return gqlerror.Wrap(&TooComplexError{"nodes", b.limits.MaxNodes})
	}
	return nil
}

// nodes counts the objects in the lists of selections, of which there are parents many. The list right below a page is
// that page.
func nodes(o *graphql.OperationContext, selections ast.SelectionSet, parents int, page bool) (sum int) {
	for _, s := range selections {
		switch s := s.(type) {
		case *ast.InlineFragment:
			sum = add(sum, nodes(o, s.SelectionSet, parents, page))
		case *ast.FragmentSpread:
			sum = add(sum, nodes(o, s.Definition.SelectionSet, parents, page))
		case *ast.Field:
			if len(s.SelectionSet) == 0 || strings.HasPrefix(s.Name, "__") {
				continue
			}
			here, first := parents, s.Definition.Arguments.ForName("first")
			switch {
			case first != nil:
				here = min(parents*pageSize(o, s, first), enough)
				sum = add(sum, here)
			case s.Definition.Type.Elem != nil && !page:
				here = min(parents*listLength, enough)
				sum = add(sum, here)
			}
			sum = add(sum, nodes(o, s.SelectionSet, here, first != nil))
		}
	}
	return sum
}

// pageSize is what a field's first says; the schema's default when it says nothing. Outside 1 to maxPage it is no cost
// but BAD_INPUT, by newPage.
func pageSize(o *graphql.OperationContext, f *ast.Field, first *ast.ArgumentDefinition) int {
	var given any
	if a := f.Arguments.ForName("first"); a != nil {
		given, _ = a.Value.Value(o.Variables)
	}
	if given == nil && first.DefaultValue != nil {
		given, _ = first.DefaultValue.Value(nil)
	}
	size, err := strconv.Atoi(fmt.Sprint(given))
	if err != nil {
		return maxPage
	}
	return min(max(size, 1), maxPage)
}
