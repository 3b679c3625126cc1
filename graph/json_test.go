package graph

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"testing"
	"unicode/utf8"
)

// decodeByTokens is decodeObject with encoding/json's tokens, slow and plain.
func decodeByTokens(text []byte) (map[string]any, bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var decode func(nesting int) (any, bool)
	decode = func(nesting int) (any, bool) {
		token, err := d.Token()
		if err != nil || nesting == 0 {
			return nil, false
		}
		switch token {
		case json.Delim('{'):
			object := map[string]any{}
			for d.More() {
				token, _ := d.Token()
				name, named := token.(string)
				value, ok := decode(nesting - 1)
				if _, twice := object[name]; !named || !ok || twice {
					return nil, false
				}
				object[name] = value
			}
			_, err := d.Token()
			return object, err == nil
		case json.Delim('['):
			list := []any{}
			for d.More() {
				value, ok := decode(nesting - 1)
				if !ok {
					return nil, false
				}
				list = append(list, value)
			}
			_, err := d.Token()
			return list, err == nil
		}
		return token, true
	}
	value, ok := decode(maxNesting)
	if _, err := d.Token(); err != io.EOF || !ok || !utf8.Valid(text) {
		return nil, false
	}
	object, ok := value.(map[string]any)
	return object, ok
}

// FuzzDecodeObject compares with what encoding/json reads token by token.
func FuzzDecodeObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { } `, `{"a":1}`, "{\n\t\"a\" : [ 1 , -2.5e+3 ,true,false, null ] ,\r\n \"b\" : { \"c\" : \"d\" } }", `[]`, `"a"`, `1`, `null`, ``, ` `,
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"":{"":{"":[]}}}`, `{"a":"\"\\\/\b\f\n\r\t\u4e2d\ud83d\ude00\ud800"}`, `{"a\"}":"]},\\"}`, `{"a":1}x`, `{"a":1}{}`,
		`{"a":01}`, `{"a":1,}`, `{"a":[1,]}`, `{"a"}`, `{a:1}`, "{\"a\":\"\n\"}", "{\"a\":\"\xff\"}", "\xef\xbb\xbf{}", `{"a":123456789012345678901234567890.0E-1}`,
		`{"a":` + string(bytes.Repeat([]byte("["), 31)) + string(bytes.Repeat([]byte("]"), 31)) + `}`,
		`{"a":` + string(bytes.Repeat([]byte("["), 32)) + string(bytes.Repeat([]byte("]"), 32)) + `}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 64<<10 {
			return
		}
		got, err := decodeObject(text)
		want, ok := decodeByTokens(text)
		if (err == nil) != ok {
			t.Fatalf("%q: %v, want it taken: %v", text, err, ok)
		}
		if !reflect.DeepEqual(got, want) { // cmp.Diff takes for ever on what is nested deep
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	})
}
