package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// maxNesting is how deep JSON may nest: the deepest input there is needs five.
const maxNesting = 32

var errNotStrict = errors.New("graph: not one strict JSON object")

// decodeObject reads text as one JSON object with nothing behind it, in UTF-8. A name twice in an object is refused,
// since whoever looks at the request before us may have read the other one. Numbers keep their digits. The error says
// nothing of the text.
func decodeObject(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, errNotStrict
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	value, err := decodeValue(d, maxNesting)
	if err != nil {
		return nil, errNotStrict
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errNotStrict
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errNotStrict
	}
	return object, nil
}

func decodeValue(d *json.Decoder, nesting int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	if nesting == 0 {
		return nil, errNotStrict
	}
	switch token {
	case json.Delim('{'):
		return decodeMembers(d, nesting-1)
	case json.Delim('['):
		list := []any{}
		for d.More() {
			value, err := decodeValue(d, nesting-1)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err := d.Token()
		return list, err
	}
	return token, nil
}

// decodeMembers reads an object whose brace is read.
func decodeMembers(d *json.Decoder, nesting int) (map[string]any, error) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if _, twice := object[name]; twice || !ok {
			return nil, errNotStrict
		}
		if object[name], err = decodeValue(d, nesting); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return object, err
}
