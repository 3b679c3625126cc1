package db

import (
	"bytes"
	"database/sql"
	"testing"
)

func TestARowOfTheDriverS(t *testing.T) {
	t.Parallel()
	var (
		text, absent sql.NullString
		name         string
		number       int64
		sealed, none = []byte(nil), []byte("left from before")
	)
	row := driverRow{"a", nil, "b", int64(7), []byte{1}, nil}
	if err := row.Scan(&text, &absent, &name, &number, &sealed, &none); err != nil {
		t.Fatal(err)
	}
	if text.String != "a" || absent.Valid || name != "b" || number != 7 || !bytes.Equal(sealed, []byte{1}) || none != nil {
		t.Errorf("%v %v %q %d %v %v", text, absent, name, number, sealed, none)
	}
	for _, tt := range []struct {
		row  driverRow
		dest []any
	}{
		{driverRow{nil}, []any{&name}},
		{driverRow{nil}, []any{&number}},
		{driverRow{"7"}, []any{&number}},
		{driverRow{int64(7)}, []any{&name}},
		{driverRow{"x"}, []any{&sealed}},
		{driverRow{"x"}, []any{new(bool)}},
		{driverRow{"x", "y"}, []any{&name}},
		{driverRow{"x"}, []any{&name, &name}},
	} {
		if err := tt.row.Scan(tt.dest...); err == nil {
			t.Errorf("%v was read into %T", tt.row, tt.dest)
		}
	}
}
