package wechat

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is text that may be used but not shown, such as a session key. Whatever prints, logs or encodes it, alone or
// inside a struct, sees "(hidden)"; the text itself comes out only by conversion to string.
type Secret string

const hidden = "(hidden)"

// Format writes "(hidden)" whatever the verb; String alone would let %d through.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// String returns "(hidden)".
func (Secret) String() string { return hidden }

// LogValue hides the text from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the text from encoding/json and everything else that knows encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
