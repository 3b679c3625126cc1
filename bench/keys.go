package main

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// key is one key in the form that `wxpass keys new` prints.
type key struct {
	id     string
	secret []byte
}

func parseKey(text string) (key, error) {
	id, encoded, ok := strings.Cut(strings.TrimSpace(text), ":")
	secret, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(secret) != chacha20poly1305.KeySize {
		return key{}, errors.New("not a key in the form of `wxpass keys new`")
	}
	return key{id, secret}, nil
}

// mac is wxpass's keyed hash for one purpose.
type mac struct{ subkey []byte }

func (k key) mac(purpose string) (mac, error) {
	subkey, err := hkdf.Key(sha256.New, k.secret, nil, "wxpass/"+purpose, sha256.Size)
	return mac{subkey}, err
}

func (m mac) sum(message []byte) []byte {
	h := hmac.New(sha256.New, m.subkey)
	h.Write(message)
	return h.Sum(nil)
}

// phoneSubject is what claims a phone number in user_identities.
func (k key) phoneSubject(m mac, e164 string) string {
	return k.id + ":" + hex.EncodeToString(m.sum([]byte(e164)))
}

// sealer seals and opens as wxpass does: one length byte, the key's id, the nonce, the ciphertext.
type sealer struct {
	aead cipher.AEAD
	head []byte
}

func (k key) sealer() (*sealer, error) {
	aead, err := chacha20poly1305.NewX(k.secret)
	return &sealer{aead, append([]byte{byte(len(k.id))}, k.id...)}, err
}

func (s *sealer) seal(plaintext []byte, context string) []byte {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plaintext)+s.aead.Overhead())
	rand.Read(nonce)
	sealed := s.aead.Seal(nonce, nonce, plaintext, append(s.head[:len(s.head):len(s.head)], context...))
	return append(s.head[:len(s.head):len(s.head)], sealed...)
}

func (s *sealer) open(sealed []byte, context string) ([]byte, error) {
	n := len(s.head)
	if len(sealed) < n+s.aead.NonceSize() || string(sealed[:n]) != string(s.head) {
		return nil, errors.New("sealed by another key")
	}
	nonce, ciphertext := sealed[n:n+s.aead.NonceSize()], sealed[n+s.aead.NonceSize():]
	return s.aead.Open(nil, nonce, ciphertext, append(s.head[:n:n], context...))
}

// uuid is an id, in the form pgx sends and reads as it is.
type uuid = [16]byte

func formatUUID(id uuid) string { return string(appendUUID(nil, id)) }

func appendUUID(b []byte, id uuid) []byte {
	b = append(hex.AppendEncode(b, id[:4]), '-')
	b = append(hex.AppendEncode(b, id[4:6]), '-')
	b = append(hex.AppendEncode(b, id[6:8]), '-')
	b = append(hex.AppendEncode(b, id[8:10]), '-')
	return hex.AppendEncode(b, id[10:])
}

func parseUUID(text string) (id uuid, err error) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, fmt.Errorf("%q is not a UUID", text)
	}
	var digits [32]byte
	copy(digits[:8], text[:8])
	copy(digits[8:12], text[9:13])
	copy(digits[12:16], text[14:18])
	copy(digits[16:20], text[19:23])
	copy(digits[20:], text[24:])
	_, err = hex.Decode(id[:], digits[:])
	return id, err
}

// newUUID makes a UUIDv7 of that time.
func newUUID(milliseconds int64) (id uuid) {
	rand.Read(id[6:])
	for i := range 6 {
		id[i] = byte(milliseconds >> (40 - 8*i))
	}
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}
