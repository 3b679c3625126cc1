package auth

import (
	"crypto/hmac"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"wxpass/keyring"
)

// maxVerified bounds the memory of verified: some 20 MB when full. Past it the token longest unused is forgotten.
const maxVerified = 32_768

// verified remembers what tokens claim whose signatures held, for a client sends the same one for a week: it spares
// reading and checking them again, some 9 us and 50 allocations a request. Only tokens of ours come in here, so nobody
// fills it with garbage. Everything but the signature is judged on every use, by who asks. That a token compares faster or
// slower with a remembered one tells nothing: they are found by a seeded hash of the whole text. The zero value is ready.
type verified struct {
	mu     sync.Mutex
	tokens *simplelru.LRU[string, verifiedToken]
}

type verifiedToken struct {
	claims *Claims
	key    keyring.Key // that signed it
}

// find returns the claims of a token, if it is remembered and its key is still in the ring.
func (v *verified) find(token string, ring keyring.Ring) (*Claims, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tokens == nil {
		return nil, false
	}
	known, ok := v.tokens.Get(token)
	if !ok {
		return nil, false
	}
	key, ok := ring.Find(known.key.ID)
	return known.claims, ok && hmac.Equal(key.Secret, known.key.Secret)
}

// add remembers a token that the key with that id in the ring signed.
func (v *verified) add(token string, claims *Claims, keyID string, ring keyring.Ring) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tokens == nil {
		tokens, err := simplelru.NewLRU[string, verifiedToken](maxVerified, nil)
		if err != nil {
			panic(err) // the size is the constant above
		}
		v.tokens = tokens
	}
	if key, ok := ring.Find(keyID); ok {
		v.tokens.Add(strings.Clone(token), verifiedToken{claims, key}) // the header it is cut from may be longer
	}
}
