package wechat_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"wxpass/wechat"
	"wxpass/wechat/simulator"
)

func TestManyCallersShareOneFetch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sim.Fault(simulator.Fault{Endpoint: "stable_token", DelayMS: 50}) // so that all of them meet it
	store := &wechat.MemoryCredentials{Now: w.time}
	var wg sync.WaitGroup
	for range 3 {
		c := w.instance(w.BaseURL)
		c.Credentials = store
		for range 100 {
			wg.Go(func() {
				if err := w.phone(t, c); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	w.wantCalls(t, 1, 300)
}

func TestAnInstanceTakesWhatAnotherHasReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.instance(w.BaseURL)
	w.Credentials = &wechat.MemoryCredentials{Now: w.time}
	other.Credentials = w.Credentials
	if err := errors.Join(w.phone(t, w.Client), w.phone(t, other)); err != nil {
		t.Fatal(err)
	}
	w.sim.KillCredential(w.AppID)
	if err := errors.Join(w.phone(t, w.Client), w.phone(t, other)); err != nil {
		t.Error(err)
	}
	w.wantCalls(t, 2, 6)
}

// busyStore calls denied when it refuses a lease.
type busyStore struct {
	wechat.MemoryCredentials
	denied func()
}

func (s *busyStore) LeaseCredential(ctx context.Context, appID, holder string, until time.Time) (bool, error) {
	ok, err := s.MemoryCredentials.LeaseCredential(ctx, appID, holder, until)
	if !ok {
		s.denied()
	}
	return ok, err
}

func TestWaitingForAnotherInstance(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world, *busyStore) error{
		"until it has stored one": func(w *world, store *busyStore) error {
			other := w.instance(w.BaseURL)
			other.Credentials = &wechat.MemoryCredentials{Now: w.time}
			other.PhoneNumber(context.Background(), "none", "")
			got, _ := other.Credentials.Credential(context.Background(), w.AppID)
			return store.StoreCredential(context.Background(), w.AppID, "other", got)
		},
		"until its lease runs out": func(w *world, _ *busyStore) error { w.pass(time.Minute); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			store := &busyStore{}
			store.Now, store.denied = w.time, func() {
				if err := end(w, store); err != nil {
					t.Error(err)
				}
			}
			w.Credentials = store
			store.LeaseCredential(t.Context(), w.AppID, "other", w.time().Add(time.Minute))
			if err := w.phone(t, w.Client); err != nil {
				t.Error(err)
			}
			if n := w.sim.Calls("stable_token"); n != 1 {
				t.Errorf("asked %d times, want once", n)
			}
		})
	}
}

func TestWaitingForAnotherInstanceEndsWithTheCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store := &wechat.MemoryCredentials{Now: w.time}
	w.Credentials, w.Timeout = store, 50*time.Millisecond
	store.LeaseCredential(t.Context(), w.AppID, "other", w.time().Add(time.Minute))
	wantClass(t, w.phone(t, w.Client), wechat.ErrUnavailable)
	w.wantCalls(t, 0, 0)
}

// brokenStore fails as told.
type brokenStore struct {
	wechat.MemoryCredentials
	read, lease, write error
}

func (s *brokenStore) Credential(ctx context.Context, appID string) (wechat.Credential, error) {
	if s.read != nil {
		return wechat.Credential{}, s.read
	}
	return s.MemoryCredentials.Credential(ctx, appID)
}

func (s *brokenStore) LeaseCredential(ctx context.Context, appID, holder string, until time.Time) (bool, error) {
	if s.lease != nil {
		return false, s.lease
	}
	return s.MemoryCredentials.LeaseCredential(ctx, appID, holder, until)
}

func (s *brokenStore) StoreCredential(ctx context.Context, appID, holder string, c wechat.Credential) error {
	if s.write != nil {
		return s.write
	}
	return s.MemoryCredentials.StoreCredential(ctx, appID, holder, c)
}

func TestABrokenStoreStopsNobody(t *testing.T) {
	t.Parallel()
	down := errors.New("database down")
	for name, store := range map[string]*brokenStore{
		"read": {read: down}, "lease": {lease: down}, "write": {write: down},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			store.Now = w.time
			w.Credentials = store
			for range 3 {
				if err := w.phone(t, w.Client); err != nil {
					t.Error(err)
				}
			}
			w.wantCalls(t, 1, 3)
		})
	}
}

func TestMemoryCredentialsLeaseToOneAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store := &wechat.MemoryCredentials{Now: w.time}
	lease := func(holder string) bool {
		ok, err := store.LeaseCredential(t.Context(), "app", holder, w.time().Add(time.Second))
		if err != nil {
			t.Error(err)
		}
		return ok
	}
	if !lease("a") || lease("b") || !lease("a") {
		t.Error("a's lease does not keep b away, or does keep a")
	}
	w.pass(time.Second)
	if !lease("b") {
		t.Error("a's lease lasts longer than told")
	}
	if err := store.StoreCredential(t.Context(), "app", "a", wechat.Credential{Value: "old"}); !errors.Is(err, wechat.ErrLeaseLost) {
		t.Errorf("storing without the lease: %v", err)
	}
	if err := store.StoreCredential(t.Context(), "app", "b", wechat.Credential{Value: "new"}); err != nil || !lease("a") {
		t.Errorf("storing with the lease: %v, or it did not end the lease", err)
	}
	if got, _ := store.Credential(t.Context(), "app"); got.Value != "new" {
		t.Errorf("stored %q", string(got.Value))
	}
}
