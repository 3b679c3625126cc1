package graph

import (
	"slices"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"
)

// An objectWriter writes the members of an object that selections ask for.
type objectWriter[T any] func(w *writer, at *spot, selections ast.SelectionSet, obj *T)

// writeAnswer makes the marshaler of a field's value, or returns nil when that is not the writer's.
func writeAnswer[T any](w *writer, at *spot, field *graphql.CollectedField, value any, write objectWriter[T]) graphql.Marshaler {
	written := false
	switch v := value.(type) {
	case *T:
		written = writeValue(w, at, field, v, write)
	case []*T:
		written = writeElements(w, at, field, v, write)
	}
	switch {
	case !written:
		return nil
	case at.invalid:
		return graphql.Null
	}
	return w
}

// The functions below write a value and return true; or they leave it to gqlgen and return false, when it is null and
// there may be an error to tell.

func writeObject[T any](w *writer, at *spot, field *graphql.CollectedField, v *T, write objectWriter[T]) bool {
	here := spot{parent: at, field: field}
	written := writeValue(w, &here, field, v, write)
	at.invalid = at.invalid || here.invalid && field.Definition.Type.NonNull
	return written
}

func writeList[T any](w *writer, at *spot, field *graphql.CollectedField, list []*T, write objectWriter[T]) bool {
	here := spot{parent: at, field: field}
	written := writeElements(w, &here, field, list, write)
	at.invalid = at.invalid || here.invalid && field.Definition.Type.NonNull
	return written
}

// writeValue writes the object at a place.
func writeValue[T any](w *writer, at *spot, field *graphql.CollectedField, v *T, write objectWriter[T]) bool {
	if v == nil {
		return false
	}
	start := len(w.out)
	w.out = append(w.out, '{')
	write(w, at, field.Selections, v)
	w.out = append(w.out, '}')
	if at.invalid {
		w.null(start)
	}
	return true
}

// writeElements writes the list at a place.
func writeElements[T any](w *writer, at *spot, field *graphql.CollectedField, list []*T, write objectWriter[T]) bool {
	if list == nil && !field.Definition.Type.NonNull || slices.Contains(list, nil) {
		return false
	}
	start := len(w.out)
	w.out = append(w.out, '[')
	var here spot // one for all elements: it is on the heap
	for i, v := range list {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		here = spot{parent: at, index: i}
		writeValue(w, &here, field, v, write)
		at.invalid = at.invalid || here.invalid && field.Definition.Type.Elem.NonNull
	}
	w.out = append(w.out, ']')
	if at.invalid {
		w.null(start)
	}
	return true
}

// null puts null in the place of what was written since start.
func (w *writer) null(start int) { w.out = append(w.out[:start], "null"...) }

func writeOptional[T any](w *writer, v *T, write func(*writer, T) bool) bool {
	if v == nil {
		w.out = append(w.out, "null"...)
		return true
	}
	return write(w, *v)
}

func writeString(w *writer, s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			graphql.MarshalString(s).MarshalGQL(w)
			return true
		}
	}
	w.out = append(w.out, '"')
	w.out = append(w.out, s...)
	w.out = append(w.out, '"')
	return true
}

func writeEnums[T comparable](w *writer, list []T, names map[T]string) bool {
	if list == nil {
		return false
	}
	w.out = append(w.out, '[')
	for i, v := range list {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		writeString(w, names[v])
	}
	w.out = append(w.out, ']')
	return true
}

func writeInt[T int | int64](w *writer, n T) bool {
	w.out = strconv.AppendInt(w.out, int64(n), 10)
	return true
}

func writeBool(w *writer, b bool) bool {
	w.out = strconv.AppendBool(w.out, b)
	return true
}

func writeTime(w *writer, t time.Time) bool {
	if t.IsZero() {
		return false
	}
	w.out = append(w.out, '"')
	w.out = t.AppendFormat(w.out, time.RFC3339Nano)
	w.out = append(w.out, '"')
	return true
}

func writeID(w *writer, id uuid.UUID) bool { return writeString(w, id.String()) }
