package auth

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"

	"wxpass/wechat"
)

const (
	codeLife  = 5 * time.Minute // of a phone code
	maxPhones = 10_000          // exchanged codes remembered
)

// phoneExchanges trades phone codes, each once, and remembers what they brought for as long as a code lives, so that a
// client whose answer was lost may send its code again.
type phoneExchanges struct {
	underWay singleflight.Group

	mu    sync.Mutex
	known *simplelru.LRU[string, knownPhone]
}

type knownPhone struct {
	phone *wechat.Phone
	at    time.Time
}

func (e *phoneExchanges) exchange(key string, now func() time.Time, ask func() (*wechat.Phone, error)) (*wechat.Phone, error) {
	phone, err, _ := e.underWay.Do(key, func() (any, error) {
		if phone := e.recall(key, now()); phone != nil {
			return phone, nil
		}
		phone, err := ask()
		if err == nil {
			e.remember(key, knownPhone{phone, now()})
		}
		return phone, err
	})
	if err != nil {
		return nil, err
	}
	return phone.(*wechat.Phone), nil
}

func (e *phoneExchanges) recall(key string, now time.Time) *wechat.Phone {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known == nil {
		return nil
	}
	known, ok := e.known.Get(key)
	if !ok || now.Sub(known.at) > codeLife {
		return nil
	}
	return known.phone
}

func (e *phoneExchanges) remember(key string, phone knownPhone) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known == nil {
		e.known, _ = simplelru.NewLRU[string, knownPhone](maxPhones, nil) // fails for a size of 0 only
	}
	e.known.Add(key, phone)
}
