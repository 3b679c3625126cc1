// Package keyring keeps named secret keys, newest first, and seals or signs with them.
//
// A ring makes rotation boring: a new key is put in front, everything new is made with it, and everything old
// still opens with the keys behind it until they are dropped.
package keyring

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// KeySize is the length in bytes of a key made by New, and the only length Seal and Open take.
const KeySize = 32

var (
	// ErrUnknownKey says that what was sealed names a key the ring does not hold: it was dropped, or is another ring's.
	ErrUnknownKey = errors.New("keyring: no such key")
	// ErrOpen says that sealed data was damaged, or was sealed for another context.
	ErrOpen = errors.New("keyring: cannot open sealed data")
)

var keyID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,32}$`)

// Key is one named secret. Its text form hides the secret.
type Key struct {
	ID     string
	Secret []byte
}

// String names the key without its secret.
func (k Key) String() string { return k.ID + ":(hidden)" }

// GoString is String, so that %#v hides the secret too.
func (k Key) GoString() string { return k.String() }

// Ring is an ordered set of keys: the first makes, all of them check. The zero Ring holds none.
type Ring []Key

// New returns a fresh random key with the id given, ready to be put first in a Ring.
func New(id string) Key {
	secret := make([]byte, KeySize)
	rand.Read(secret) // never fails: crypto/rand ends the program rather than return weak bytes
	return Key{ID: id, Secret: secret}
}

// Encode returns k as Parse reads it, secret included.
func (k Key) Encode() string { return k.ID + ":" + base64.StdEncoding.EncodeToString(k.Secret) }

// Guessable reports whether the secret is readable text or repeats itself, as examples and typed-in passwords do; of
// random keys not one in 10^13 is.
func (k Key) Guessable() bool {
	distinct := map[byte]bool{}
	readable := true
	for _, b := range k.Secret {
		distinct[b] = true
		readable = readable && b >= ' ' && b <= '~'
	}
	return readable || len(distinct) < KeySize/2
}

// Parse reads "id:base64[,id:base64…]". Its errors name the key by position and id and never show a secret.
func Parse(s string) (Ring, error) {
	var ring Ring
	for i, part := range strings.Split(s, ",") {
		id, encoded, ok := strings.Cut(strings.TrimSpace(part), ":")
		if !ok || !keyID.MatchString(id) {
			return nil, fmt.Errorf("key %d is not of the form id:base64, with an id of 1 to 32 letters, digits, '.', '_' or '-'", i+1)
		}
		secret, err := decode(encoded)
		if err != nil {
			return nil, fmt.Errorf("key %q is not base64", id)
		}
		if _, ok := ring.Find(id); ok {
			return nil, fmt.Errorf("key id %q is used twice", id)
		}
		if ring.Holds(secret) {
			return nil, fmt.Errorf("key %q repeats the secret of another key", id)
		}
		ring = append(ring, Key{ID: id, Secret: secret})
	}
	return ring, nil
}

// decode takes all four spellings of base64, because people paste keys from whatever made them.
func decode(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	return base64.RawStdEncoding.DecodeString(s)
}

// Holds reports whether a key of the ring has that secret.
func (r Ring) Holds(secret []byte) bool {
	return slices.ContainsFunc(r, func(k Key) bool { return hmac.Equal(k.Secret, secret) })
}

// Find returns the key with that id.
func (r Ring) Find(id string) (Key, bool) {
	i := slices.IndexFunc(r, func(k Key) bool { return k.ID == id })
	if i < 0 {
		return Key{}, false
	}
	return r[i], true
}

// Seal encrypts plaintext with the newest key (XChaCha20-Poly1305, whose random nonces never run out) and binds it to
// context: Open wants the same one. The result begins with the key's id in the clear: one length byte, the id, the
// nonce, the ciphertext.
func (r Ring) Seal(plaintext []byte, context string) ([]byte, error) {
	if len(r) == 0 {
		return nil, ErrUnknownKey
	}
	aead, err := chacha20poly1305.NewX(r[0].Secret)
	if err != nil {
		return nil, fmt.Errorf("keyring: key %q: %w", r[0].ID, err)
	}
	head := r.Head()
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plaintext)+aead.Overhead())
	rand.Read(nonce)
	return append(head, aead.Seal(nonce, nonce, plaintext, additionalData(head, context))...), nil
}

// Head is what everything Seal makes begins with: what begins otherwise was sealed with another key than the newest.
func (r Ring) Head() []byte {
	if len(r) == 0 {
		return nil
	}
	return append([]byte{byte(len(r[0].ID))}, r[0].ID...)
}

// Open returns what was sealed for context. It fails with ErrUnknownKey or ErrOpen.
func (r Ring) Open(sealed []byte, context string) ([]byte, error) {
	if len(sealed) == 0 || len(sealed) < 1+int(sealed[0])+chacha20poly1305.NonceSizeX {
		return nil, ErrOpen
	}
	head, rest := sealed[:1+sealed[0]], sealed[1+sealed[0]:]
	key, ok := r.Find(string(head[1:]))
	if !ok {
		return nil, ErrUnknownKey
	}
	aead, err := chacha20poly1305.NewX(key.Secret)
	if err != nil {
		return nil, fmt.Errorf("keyring: key %q: %w", key.ID, err)
	}
	nonce, ciphertext := rest[:aead.NonceSize()], rest[aead.NonceSize():]
	plaintext, err := aead.Open(nil, nonce, ciphertext, additionalData(head, context))
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// additionalData ties the key's id and the context to the ciphertext; head carries its own length, so the two cannot
// be shifted against each other.
func additionalData(head []byte, context string) []byte {
	return append(slices.Clone(head), context...)
}

// MAC returns a keyed hash of message under the newest key, with a subkey of its own for each purpose. It tells
// whether two messages are equal without telling what they are, for as long as the newest key stays the same.
func (r Ring) MAC(purpose string, message []byte) ([]byte, error) {
	if len(r) == 0 {
		return nil, ErrUnknownKey
	}
	return r[0].MAC(purpose, message)
}

// MAC is Ring.MAC under k.
func (k Key) MAC(purpose string, message []byte) ([]byte, error) {
	subkey, err := hkdf.Key(sha256.New, k.Secret, nil, "wxpass/"+purpose, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("keyring: key %q: %w", k.ID, err)
	}
	mac := hmac.New(sha256.New, subkey)
	mac.Write(message)
	return mac.Sum(nil), nil
}
