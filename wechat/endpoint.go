package wechat

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

const (
	defaultMaxInFlight = 128
	defaultRest        = 3 * time.Second

	// An endpoint is given a rest when of at least so many requests in so long a time so large a part failed.
	breakAfter  = 10
	breakWithin = 10 * time.Second
	breakPart   = 0.5
)

// endpoint is one path of the API, and how it fares. It bounds the requests under way, and leaves WeChat alone for a
// while when too many failed, so that callers learn at once what they would otherwise wait for.
type endpoint struct {
	path    string
	breaker circuitbreaker.CircuitBreaker[any]
	room    bulkhead.Bulkhead[any]

	inFlight atomic.Int64

	mu      sync.Mutex
	calls   map[string]uint64 // by outcome
	refusal *Error            // why WeChat refuses the app, since the last request that it did not refuse; or nil
}

// endpoint returns the one at path, made when first asked for.
func (c *Client) endpoint(path string) *endpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.endpoints[path]; e != nil {
		return e
	}
	e := &endpoint{
		path:  path,
		calls: map[string]uint64{},
		room:  bulkhead.New[any](uint(cmp.Or(c.MaxInFlight, defaultMaxInFlight))),
		breaker: circuitbreaker.NewBuilder[any]().
			WithFailureRateThreshold(breakPart, breakAfter, breakWithin).
			WithDelay(cmp.Or(c.Rest, defaultRest)).
			WithSuccessThreshold(1). // of one trial at a time
			OnOpen(func(circuitbreaker.StateChangedEvent) {
				c.log().Warn("wechat: too many calls fail; leaving the endpoint alone for a while", "appid", c.AppID, "path", path)
			}).
			OnClose(func(circuitbreaker.StateChangedEvent) {
				c.log().Info("wechat: the endpoint answers again", "appid", c.AppID, "path", path)
			}).
			Build(),
	}
	if c.endpoints == nil {
		c.endpoints = map[string]*endpoint{}
	}
	c.endpoints[path] = e
	return e
}

// do makes a request, which send makes, unless there is no room for it or no point in it: then it fails at once with
// ErrUnavailable and Error.NotSent.
func (e *endpoint) do(send func() error) error {
	if !e.room.TryAcquirePermit() {
		return e.refuse("not asked, because too many calls are under way", time.Second)
	}
	defer e.room.ReleasePermit()
	if !e.breaker.TryAcquirePermit() {
		return e.refuse("not asked, because too many calls failed just now", max(e.breaker.RemainingDelay(), time.Second))
	}
	e.inFlight.Add(1)
	defer e.inFlight.Add(-1)
	err := send()
	e.learn(err)
	return err
}

func (e *endpoint) refuse(message string, retryAfter time.Duration) error {
	e.count(notSent)
	return &Error{Path: e.path, Message: message, NotSent: true, RetryAfter: retryAfter, class: ErrUnavailable}
}

func (e *endpoint) count(outcome string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls[outcome]++
}

// The outcomes of calls, as Health counts them.
const (
	succeeded = "ok"
	notSent   = "not_sent"
	canceled  = "canceled"
)

// outcomes are those of failed calls.
var outcomes = []struct {
	class error
	name  string
}{
	{ErrCodeInvalid, "code_invalid"},
	{ErrBlocked, "blocked"},
	{ErrBusy, "busy"},
	{ErrMisconfigured, "misconfigured"},
	{ErrUnavailable, "unavailable"},
}

func outcome(err error) string {
	if err == nil {
		return succeeded
	}
	for _, o := range outcomes {
		if errors.Is(err, o.class) {
			return o.name
		}
	}
	return canceled
}

// learn takes the outcome of a request into account. One that the caller broke off says nothing of WeChat, but as the
// trial of an endpoint at rest it has not shown that WeChat answers.
func (e *endpoint) learn(err error) {
	came := outcome(err)
	if errors.Is(err, ErrUnavailable) || came == canceled && !e.breaker.IsClosed() {
		e.breaker.RecordFailure()
	} else {
		e.breaker.RecordSuccess()
	}
	e.count(came)
	e.mu.Lock()
	defer e.mu.Unlock()
	var fault *Error
	switch {
	case errors.Is(err, ErrMisconfigured) && errors.As(err, &fault):
		e.refusal = fault
	case came != canceled && !errors.Is(err, ErrUnavailable):
		e.refusal = nil
	}
}

// Health is how an endpoint of the API fares, seen from one Client.
type Health struct {
	Path     string            // such as /sns/jscode2session
	InFlight int               // requests under way
	Calls    map[string]uint64 // by outcome: ok, not_sent, canceled, or the class of the error, such as unavailable
	Resting  bool              // too many failed, and none has succeeded since
	Refusal  *Error            // of class ErrMisconfigured: WeChat refuses the app, and has done nothing else since; else nil
}

// Health tells how the endpoints fare that were called so far, by path.
func (c *Client) Health() []Health {
	c.mu.Lock()
	endpoints := slices.SortedFunc(maps.Values(c.endpoints), func(a, b *endpoint) int { return strings.Compare(a.path, b.path) })
	c.mu.Unlock()
	health := make([]Health, len(endpoints))
	for i, e := range endpoints {
		e.mu.Lock()
		health[i] = Health{Path: e.path, InFlight: int(e.inFlight.Load()), Calls: maps.Clone(e.calls), Refusal: e.refusal}
		e.mu.Unlock()
		health[i].Resting = !e.breaker.IsClosed()
	}
	return health
}
