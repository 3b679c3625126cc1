package graph_test

import (
	"os"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"wxpass/auth"
	"wxpass/graph"
)

func schema(t *testing.T) *ast.Schema {
	t.Helper()
	text, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	s, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryRootFieldIsGuardedOrPublic(t *testing.T) {
	t.Parallel()
	s := schema(t)
	for _, root := range []*ast.Definition{s.Query, s.Mutation} {
		for _, f := range root.Fields {
			guarded, public := f.Directives.ForName("requireAuth") != nil, f.Directives.ForName("public") != nil
			if guarded == public && !strings.HasPrefix(f.Name, "__") {
				t.Errorf("%s.%s must be either @requireAuth or @public", root.Name, f.Name)
			}
		}
	}
}

// own are the types of the schema that are ours.
func own(s *ast.Schema) (types []*ast.Definition) {
	for _, d := range s.Types {
		if !d.BuiltIn {
			types = append(types, d)
		}
	}
	return types
}

func TestFieldsThatCanBeRefusedAreNullable(t *testing.T) {
	t.Parallel()
	for _, d := range own(schema(t)) {
		for _, f := range d.Fields {
			if (f.Directives.ForName("requireAuth") != nil || f.Directives.ForName("rateLimit") != nil) && f.Type.NonNull {
				t.Errorf("%s.%s can be refused and must be nullable, or a refusal empties the whole answer", d.Name, f.Name)
			}
		}
	}
}

func TestListsThatCanGrowAreConnections(t *testing.T) {
	t.Parallel()
	bounded := map[string]string{
		"Query.mySessions": "a hundred at most, by the store",
		"User.steps":       "one for each step there is",
		"Order.items":      "a hundred at most, when the order is placed",
	}
	for _, d := range own(schema(t)) {
		if d.Kind != ast.Object {
			continue
		}
		for _, f := range d.Fields {
			name := d.Name + "." + f.Name
			if f.Type.Elem != nil && bounded[name] == "" && f.Name != "edges" && !strings.HasPrefix(f.Name, "__") {
				t.Errorf("%s is a list: make it a connection, or say here what bounds it", name)
			}
		}
	}
}

func TestEverythingInTheSchemaIsDescribed(t *testing.T) {
	t.Parallel()
	s := schema(t)
	want := func(name, description string) {
		if description == "" && !strings.Contains(name, "__") {
			t.Errorf("%s has no description", name)
		}
	}
	for _, d := range own(s) {
		if d != s.Query && d != s.Mutation {
			want(d.Name, d.Description)
		}
		for _, f := range d.Fields {
			want(d.Name+"."+f.Name, f.Description)
			for _, a := range f.Arguments {
				want(d.Name+"."+f.Name+"("+a.Name+":)", a.Description)
			}
		}
		for _, v := range d.EnumValues {
			want(d.Name+"."+v.Name, v.Description)
		}
	}
	for name, d := range s.Directives {
		if d.Position != nil && d.Position.Src.Name == "schema.graphqls" {
			want("@"+name, d.Description)
		}
	}
}

func TestTheSchemasReasonsAreTheProgramsReasons(t *testing.T) {
	t.Parallel()
	for _, r := range []auth.Reason{auth.ReasonMissing, auth.ReasonInvalid, auth.ReasonExpired, auth.ReasonRevoked} {
		if !graph.UnauthenticatedReason(r).IsValid() {
			t.Errorf("%s is not in the schema", r)
		}
	}
}
