// Command generate writes the Go code of schema.graphqls: gqlgen's own, and beside it the writers of package graph. It is
// gqlgen's generator with one plugin.
package main

import (
	_ "embed"
	"fmt"
	"go/types"
	"os"
	"path/filepath"
	"strings"

	"github.com/99designs/gqlgen/api"
	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/config"
	"github.com/99designs/gqlgen/codegen/templates"
)

//go:embed writers.gotpl
var template string

func main() {
	c, err := config.LoadConfigFromDefaultLocations()
	if err == nil {
		err = api.Generate(c, api.AddPlugin(writers{}))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// writers is the plugin. For each object of the schema it makes a method that writes one as JSON: see graph/writer.go.
type writers struct{}

// Name implements plugin.Plugin.
func (writers) Name() string { return "writers" }

// GenerateCode implements plugin.CodeGenerator.
func (writers) GenerateCode(data *codegen.Data) error {
	return templates.Render(templates.Options{
		PackageName:     data.Config.Exec.Package,
		Filename:        filepath.Join(data.Config.Exec.Dir(), "writers_gen.go"),
		GeneratedHeader: true,
		Packages:        data.Config.Packages,
		PruneOptions:    data.Config.GetPruneOptions(),
		Template:        template,
		Data:            objects(data),
		Funcs:           map[string]any{"simple": simple, "write": write},
	})
}

// objects are the types that have writers: not the roots, whose fields gqlgen resolves, and not introspection's.
func objects(data *codegen.Data) (list codegen.Objects) {
	for _, o := range data.Objects {
		if !o.Root && !strings.HasPrefix(o.Name, "__") {
			list = append(list, o)
		}
	}
	return list
}

// leaves are the marshalers of scalars that have a function in graph/writer.go, which writes the same.
var leaves = map[string]string{
	"github.com/99designs/gqlgen/graphql.MarshalString":  "writeString",
	"github.com/99designs/gqlgen/graphql.MarshalInt":     "writeInt",
	"github.com/99designs/gqlgen/graphql.MarshalInt64":   "writeInt",
	"github.com/99designs/gqlgen/graphql.MarshalBoolean": "writeBool",
	"github.com/99designs/gqlgen/graphql.MarshalTime":    "writeTime",
	"wxpass/graph.MarshalID":                             "writeID",
}

// simple reports whether the value of f is had from its object alone, or from a resolver that nothing stands before.
func simple(f *codegen.Field) bool {
	special := f.IsBatch() || f.IsMap() || f.HasHaser || f.VOkFunc || len(f.Args) > 0 || f.HasDirectives()
	return !special && (f.IsResolver || f.IsVariable() || f.IsMethod() && f.NoErr && !f.MethodHasContext)
}

// write is the Go expression that writes v, a value of f, and reports whether it did; empty when there is none for its type.
func write(f *codegen.Field) string {
	t := f.TypeReference
	pointer, isPointer := t.GO.(*types.Pointer)
	slice, isSlice := t.GO.(*types.Slice)
	switch {
	case t.Definition.IsCompositeType() && isPointer && isStruct(pointer.Elem()):
		return fmt.Sprintf("writeObject(w, at, field, v, (*writer).write%s)", t.Definition.Name)
	case t.Definition.IsCompositeType() && isSlice && isPointerToStruct(slice.Elem()):
		return fmt.Sprintf("writeList(w, at, field, v, (*writer).write%s)", t.Definition.Name)
	case isSlice && t.Elem().HasEnumValues() && !t.Elem().IsPtr() && !t.Elem().IsSlice():
		return fmt.Sprintf("writeEnums(w, v, %s)", t.Elem().EnumMarshalVar(false))
	case t.IsSlice() || t.CastType != nil || t.Marshaler == nil || isPointer && t.GQL.NonNull:
		return ""
	case t.HasEnumValues() && !isPointer:
		return fmt.Sprintf("writeString(w, %s[v])", t.EnumMarshalVar(false))
	case t.HasEnumValues():
		return ""
	}
	leaf := leaves[t.Marshaler.FullName()]
	switch {
	case leaf == "":
		return ""
	case isPointer:
		return fmt.Sprintf("writeOptional(w, v, %s)", leaf)
	}
	return fmt.Sprintf("%s(w, v)", leaf)
}

func isStruct(t types.Type) bool {
	_, ok := t.Underlying().(*types.Struct)
	return ok
}

func isPointerToStruct(t types.Type) bool {
	p, ok := t.(*types.Pointer)
	return ok && isStruct(p.Elem())
}
