package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// maxNesting is how deep JSON may nest: the deepest input there is needs five.
const maxNesting = 32

var errNotStrict = errors.New("graph: not one strict JSON object")

// decodeObject reads text as one JSON object with nothing behind it, in UTF-8. A name twice in an object is refused,
// since whoever looks at the request before us may have read the other one. Numbers keep their digits. The error says
// nothing of the text.
//
// encoding/json says whether text is JSON, and unescapes; what is between is here: its decoder takes names that come
// twice, and its tokens cost 24 allocations for a small request where this costs 4.
func decodeObject(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, errNotStrict
	}
	d := decoder{rest: text}
	value, err := d.value(maxNesting)
	object, ok := value.(map[string]any)
	if !ok || err != nil {
		return nil, errNotStrict
	}
	return object, nil
}

// decoder reads what is known to be JSON.
type decoder struct{ rest []byte }

// peek returns the next byte that is no white space.
func (d *decoder) peek() byte {
	d.rest = bytes.TrimLeft(d.rest, " \t\r\n")
	return d.rest[0]
}

// skip leaves out the next byte that is no white space, if it is c.
func (d *decoder) skip(c byte) bool {
	if d.peek() != c {
		return false
	}
	d.rest = d.rest[1:]
	return true
}

func (d *decoder) value(nesting int) (any, error) {
	if nesting == 0 {
		return nil, errNotStrict
	}
	switch c := d.peek(); c {
	case '{':
		return d.members(nesting - 1)
	case '[':
		return d.elements(nesting - 1)
	case '"':
		return d.text()
	default:
		return d.word(), nil
	}
}

func (d *decoder) members(nesting int) (any, error) {
	object := map[string]any{}
	for d.skip('{'); !d.skip('}'); d.skip(',') {
		d.peek()
		name, err := d.text()
		if err != nil {
			return nil, err
		}
		if _, twice := object[name]; twice {
			return nil, errNotStrict
		}
		d.skip(':')
		if object[name], err = d.value(nesting); err != nil {
			return nil, err
		}
	}
	return object, nil
}

func (d *decoder) elements(nesting int) (any, error) {
	list := []any{}
	for d.skip('['); !d.skip(']'); d.skip(',') {
		value, err := d.value(nesting)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return list, nil
}

// text reads a text, which begins at once.
func (d *decoder) text() (s string, err error) {
	end, escaped := 1, false
	for ; d.rest[end] != '"'; end++ {
		if d.rest[end] == '\\' {
			escaped = true
			end++
		}
	}
	quoted := d.rest[:end+1]
	d.rest = d.rest[end+1:]
	if escaped {
		err = json.Unmarshal(quoted, &s)
		return s, err
	}
	return string(quoted[1:end]), nil
}

// word reads a number, true, false or null.
func (d *decoder) word() any {
	end := bytes.IndexAny(d.rest, ",]} \t\r\n")
	if end < 0 {
		end = len(d.rest)
	}
	word := string(d.rest[:end])
	d.rest = d.rest[end:]
	switch word {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	}
	return json.Number(word)
}
