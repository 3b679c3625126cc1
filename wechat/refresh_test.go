package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"wxpass/wechat"
	"wxpass/wechat/simulator"
)

// phone makes a business call, any.
func (w *world) phone(t *testing.T, c *wechat.Client) error {
	t.Helper()
	_, err := c.PhoneNumber(t.Context(), w.sim.PhoneCode("alice", "13800138000", ""), "")
	return err
}

// wantCalls checks how often each endpoint was called.
func (w *world) wantCalls(t *testing.T, credential, phone int) {
	t.Helper()
	if got := w.sim.Calls("stable_token"); got != credential {
		t.Errorf("credential asked for %d times, want %d", got, credential)
	}
	if got := w.sim.Calls("getuserphonenumber"); got != phone {
		t.Errorf("phone number asked for %d times, want %d", got, phone)
	}
}

func TestACredentialServesUntilShortlyBeforeItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, step := range []struct {
		after time.Duration
		want  int // fetches in all
	}{{0, 1}, {2*time.Hour - 91*time.Second, 1}, {time.Second, 2}} {
		w.pass(step.after)
		if err := w.phone(t, w.Client); err != nil {
			t.Fatal(err)
		}
		if got := w.sim.Calls("stable_token"); got != step.want {
			t.Errorf("%v later: %d fetches, want %d", step.after, got, step.want)
		}
	}
}

func TestARemainderHoweverShortIsUsed(t *testing.T) {
	t.Parallel()
	for _, expiresIn := range []int{-5, 0, 1, 60, 1 << 40} {
		w := newWorld(t)
		body := fmt.Sprintf(`{"access_token":"short","expires_in":%d}`, expiresIn)
		w.sim.Fault(simulator.Fault{Endpoint: "stable_token", Body: &body})
		phone := `{"errcode":0,"phone_info":{"purePhoneNumber":"13800138000","countryCode":86,"watermark":{"timestamp":1,"appid":"` + w.AppID + `"}}}`
		w.sim.Fault(simulator.Fault{Endpoint: "getuserphonenumber", Body: &phone, Times: 2})
		for range 2 {
			if err := w.phone(t, w.Client); err != nil {
				t.Errorf("expires_in %d: %v", expiresIn, err)
			}
		}
		w.wantCalls(t, 1, 2)
		w.pass(2 * time.Hour)
		if err := w.phone(t, w.Client); err != nil {
			t.Errorf("expires_in %d, later: %v", expiresIn, err)
		}
		w.wantCalls(t, 2, 3)
	}
}

func TestARefusedCredentialIsReplacedOnce(t *testing.T) {
	t.Parallel()
	for _, code := range []int{40001, 40014, 42001} {
		w := newWorld(t)
		w.sim.Fault(simulator.Fault{Endpoint: "getuserphonenumber", ErrCode: code})
		if err := w.phone(t, w.Client); err != nil {
			t.Errorf("errcode %d: %v", code, err)
		}
		w.wantCalls(t, 3, 2) // the first, the same again, and a new one by force
	}
}

func TestADeadCredentialIsReplacedWithoutForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.phone(t, w.Client); err != nil {
		t.Fatal(err)
	}
	w.sim.KillCredential(w.AppID)
	if err := w.phone(t, w.Client); err != nil {
		t.Error(err)
	}
	w.wantCalls(t, 2, 3)
}

func TestACredentialRefusedForeverEndsTheCallNotTheQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sim.Fault(simulator.Fault{Endpoint: "getuserphonenumber", ErrCode: 40001, Times: -1})
	err := w.phone(t, w.Client)
	wantClass(t, err, wechat.ErrUnavailable)
	wantSilent(t, err)
	w.wantCalls(t, 3, 2)
	err = w.phone(t, w.Client) // within 30 seconds of the force: no second one
	wantClass(t, err, wechat.ErrUnavailable)
	w.wantCalls(t, 4, 3)
}

func TestForceIsCountedForAllInstances(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	store := &wechat.MemoryCredentials{Now: w.time}
	day := 24 * time.Hour
	for i, step := range []struct {
		after  time.Duration
		forced int // on the day, after this step
	}{{0, 1}, {29 * time.Second, 1}, {time.Second, 2}, {day, 1}} {
		w.pass(step.after)
		c := w.instance(w.BaseURL)
		c.Credentials = store
		w.sim.Fault(simulator.Fault{Endpoint: "getuserphonenumber", ErrCode: 40001})
		w.phone(t, c)
		if got, _ := store.Credential(t.Context(), c.AppID); got.Forced != step.forced {
			t.Errorf("step %d: forced %d times, want %d", i, got.Forced, step.forced)
		}
	}
	for range 40 {
		w.pass(30 * time.Second)
		c := w.instance(w.BaseURL)
		c.Credentials = store
		w.sim.Fault(simulator.Fault{Endpoint: "getuserphonenumber", ErrCode: 40001})
		w.phone(t, c)
	}
	if got, _ := store.Credential(t.Context(), w.AppID); got.Forced != 20 {
		t.Errorf("forced %d times in a day, want 20", got.Forced)
	}
}

func TestAWrongSecretIsMisconfiguredAndAskedOnce(t *testing.T) {
	t.Parallel()
	for _, code := range []int{40001, 40125} {
		w := newWorld(t)
		w.sim.Fault(simulator.Fault{Endpoint: "stable_token", ErrCode: code, DelayMS: 50, Times: -1})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				err := w.phone(t, w.Client)
				wantClass(t, err, wechat.ErrMisconfigured)
				wantSilent(t, err)
			})
		}
		wg.Wait()
		if n := w.sim.Calls("stable_token"); n > 2 { // who comes after the first answer may ask again
			t.Errorf("errcode %d: asked %d times", code, n)
		}
	}
}

func TestAFetchIsRepeatedTwice(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]simulator.Fault{
		"overloaded": {Endpoint: "stable_token", ErrCode: -1},
		"status 502": {Endpoint: "stable_token", Status: 502},
		"dropped":    {Endpoint: "stable_token", Drop: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			fault.Times = 2
			w.sim.Fault(fault)
			if err := w.phone(t, w.Client); err != nil {
				t.Error(err)
			}
			w.wantCalls(t, 3, 1)
			fault.Times = 3
			w.sim.Reset()
			w.sim.Fault(fault)
			w.pass(3 * time.Hour)
			wantClass(t, w.phone(t, w.Client), wechat.ErrUnavailable)
			w.wantCalls(t, 3, 0)
		})
	}
}

func TestWaitersOutliveTheOneTheyWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sim.Fault(simulator.Fault{Endpoint: "stable_token", DelayMS: 60_000})
	ctx, cancel := context.WithCancel(t.Context())
	leader := make(chan error)
	code := w.sim.PhoneCode("alice", "13800138000", "")
	go func() {
		_, err := w.PhoneNumber(ctx, code, "")
		leader <- err
	}()
	for w.sim.Calls("stable_token") == 0 {
		time.Sleep(time.Millisecond)
	}
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := w.phone(t, w.Client); err != nil {
		t.Errorf("waiter: %v", err)
	}
	err := <-leader
	wantClass(t, err, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("leader: %v, want it cancelled", err)
	}
}
