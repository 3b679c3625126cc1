package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestSealedDataOpensOnlyInItsContext(t *testing.T) {
	t.Parallel()
	ring := Ring{New("a")}
	sealed, err := ring.Seal([]byte("session key"), "user/app")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ring.Open(sealed, "user/app"); err != nil || string(got) != "session key" {
		t.Errorf("Open = %q, %v", got, err)
	}
	if _, err := ring.Open(sealed, "user/other"); !errors.Is(err, ErrOpen) {
		t.Errorf("Open in another context = %v, want ErrOpen", err)
	}
	if bytes.Contains(sealed, []byte("session key")) {
		t.Error("sealed data shows its plaintext")
	}
	for i := range sealed {
		damaged := bytes.Clone(sealed)
		damaged[i] ^= 1
		if _, err := ring.Open(damaged, "user/app"); err == nil {
			t.Errorf("byte %d damaged, still opens", i)
		}
		if _, err := ring.Open(sealed[:i], "user/app"); err == nil {
			t.Errorf("cut to %d bytes, still opens", i)
		}
	}
}

func TestRotationKeepsOldDataReadable(t *testing.T) {
	t.Parallel()
	before, next := Ring{New("old")}, New("new")
	sealed, err := before.Seal([]byte("x"), "")
	if err != nil {
		t.Fatal(err)
	}
	rotated := append(Ring{next}, before...)
	if _, err := rotated.Open(sealed, ""); err != nil {
		t.Errorf("old data after rotation: %v", err)
	}
	fresh, err := rotated.Seal([]byte("x"), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := before.Open(fresh, ""); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("new data under the old ring = %v, want ErrUnknownKey", err)
	}
	if _, err := (Ring{next}).Open(sealed, ""); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("old data after the old key was dropped = %v, want ErrUnknownKey", err)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	a, b := New("a"), New("b")
	tests := []struct {
		name, in, want string // want: part of the error; empty for success
	}{
		{name: "one", in: a.Encode()},
		{name: "two, with spaces", in: a.Encode() + " , " + b.Encode()},
		{name: "unpadded", in: strings.TrimRight(a.Encode(), "=")},
		{name: "url alphabet", in: strings.NewReplacer("+", "-", "/", "_").Replace(a.Encode())},
		{name: "no colon", in: "c2VjcmV0", want: "key 1 is not of the form"},
		{name: "empty id", in: ":c2VjcmV0", want: "key 1 is not of the form"},
		{name: "not base64", in: "k:!!!c2VjcmV0", want: `key "k" is not base64`},
		{name: "same id twice", in: a.Encode() + "," + New("a").Encode(), want: `"a" is used twice`},
		{name: "same secret twice", in: a.Encode() + "," + Key{ID: "c", Secret: a.Secret}.Encode(), want: `"c" repeats the secret`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ring, err := Parse(tt.in)
			if tt.want == "" {
				if err != nil || !bytes.Equal(ring[0].Secret, a.Secret) {
					t.Errorf("Parse = %v, %v", ring, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "c2VjcmV0") {
				t.Errorf("error shows the secret: %v", err)
			}
		})
	}
}

func TestKeysHideTheirSecretWhenPrinted(t *testing.T) {
	t.Parallel()
	k := Key{ID: "a", Secret: []byte("do not show this secret to anyone")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, Ring{k}); !strings.Contains(got, "a:(hidden)") || strings.Contains(got, "show") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}
