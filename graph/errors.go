package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"wxpass/auth"
	"wxpass/order"
	"wxpass/wechat"
)

// publicErrors is the whole public vocabulary of failure, the most specific first. What is not in it is INTERNAL, and
// logged.
var publicErrors = []struct {
	err     error
	code    ErrorCode
	message string
}{
	{auth.ErrMockCode, ErrorCodeLoginCodeInvalid, "wx.login gave the developer tools' mock code: open the project with your own app id, then log in again."},
	{auth.ErrLoginCodeInvalid, ErrorCodeLoginCodeInvalid, "WeChat refuses this login code: call wx.login again, and check that the Mini Program's app id is this server's."},
	{auth.ErrPhoneCodeIsLoginCode, ErrorCodePhoneCodeInvalid, "WeChat refuses this phone code, which looks like a login code: send the code of the phone button's event."},
	{auth.ErrPhoneCodeInvalid, ErrorCodePhoneCodeInvalid, "WeChat refuses this phone code: let the user tap the button again."},
	{auth.ErrPhoneAlreadyBound, ErrorCodePhoneAlreadyBound, "Another account has this phone number."},
	{order.ErrKeyReused, ErrorCodeConflict, "This idempotency key was used for another order: make a new key for each order."},
	{order.ErrNotCancellable, ErrorCodeConflict, "The order is paid and cannot be cancelled any more."},
	{auth.ErrSessionKeyExpired, ErrorCodeSessionKeyExpired, "The encrypted data does not open with the session key on file: log in first, then let the user tap again."},
	{auth.ErrEncryptedDataInvalid, ErrorCodeEncryptedDataInvalid, "The encrypted data is not acceptable: it must be this app's and this user's, less than ten minutes old, and of the kind asked for."},
	{auth.ErrAccountBlocked, ErrorCodeAccountBlocked, "This account is disabled."},
	{errIntrospectionOff, ErrorCodeGraphqlValidationFailed, "This server does not answer introspection."},
	{wechat.ErrBlocked, ErrorCodeAccountBlocked, "WeChat considers this user high-risk and refuses the login."},
	{wechat.ErrMisconfigured, ErrorCodeServerMisconfigured, "WeChat refuses the server's settings; its log says what to fix."},
	{wechat.ErrBusy, ErrorCodeWechatUnavailable, "WeChat's quota for this server is used up for now."},
	{wechat.ErrUnavailable, ErrorCodeWechatUnavailable, "WeChat is not answering."},
}

var errIntrospectionOff = errors.New("graph: introspection is off")

// wechatRetryAfter is how long a client is told to wait for WeChat to come back.
const wechatRetryAfter = 5 * time.Second

// panicError is a panic on its way to the presenter.
type panicError struct {
	fault any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.fault) }

// presenter turns what a field failed with into what a client may learn of it.
type presenter struct{ log *slog.Logger }

func (p presenter) present(ctx context.Context, err error) *gqlerror.Error {
	out := &gqlerror.Error{Path: graphql.GetPath(ctx)}
	var request *gqlerror.Error
	if errors.As(err, &request) {
		out.Locations, out.Rule = request.Locations, request.Rule
		if request.Path != nil {
			out.Path = request.Path
		}
		if request.Unwrap() == nil && request.Extensions != nil { // parsing and validation speak for themselves
			return requestError(request)
		}
	}
	code, message, extensions := describe(err)
	if code == "" {
		p.logInternal(ctx, err, out)
		code, message = ErrorCodeInternal, "The server failed; its log has the details under this request id."
		extensions = map[string]any{"requestId": auth.RequestFrom(ctx).ID}
	}
	p.logWeChat(ctx, err)
	if extensions == nil {
		extensions = map[string]any{}
	}
	extensions["code"] = code
	out.Err, out.Message, out.Extensions = err, message, extensions
	return out
}

// statuses are the HTTP statuses of codes on routes that are not GraphQL.
var statuses = map[ErrorCode]int{
	ErrorCodeUnauthenticated: http.StatusUnauthorized,
	ErrorCodeAccountBlocked:  http.StatusForbidden,
	ErrorCodeBadInput:        http.StatusBadRequest,
	ErrorCodeRateLimited:     http.StatusTooManyRequests,
}

// Refuse answers a request of another route in the API's own words: one error with its code. A status of 0 stands for
// the one that goes with the code.
func Refuse(w http.ResponseWriter, r *http.Request, log *slog.Logger, status int, err error) {
	shown := presenter{log}.present(r.Context(), err)
	shown.Path = nil
	if status == 0 {
		code, _ := shown.Extensions["code"].(ErrorCode)
		status = cmp.Or(statuses[code], http.StatusInternalServerError)
	}
	write(w, mediaJSON, status, refused{gqlerror.List{shown}})
}

// describe finds the public form of err; the code is empty when there is none.
func describe(err error) (code ErrorCode, message string, extensions map[string]any) {
	var (
		nobody  *auth.UnauthenticatedError
		limited *RateLimitedError
		complex *TooComplexError
		input   interface {
			Input() (field, message string)
		} // of auth, of order, and our own
		steps *auth.StepRequiredError
	)
	switch {
	case errors.As(err, &steps):
		return ErrorCodeAuthStepRequired, "This field needs a step the user has not taken yet.", map[string]any{"missingSteps": steps.Missing, "completedSteps": steps.Completed}
	case errors.As(err, &nobody):
		return ErrorCodeUnauthenticated, unauthenticated[nobody.Reason], map[string]any{"reason": nobody.Reason}
	case errors.As(err, &limited):
		return ErrorCodeRateLimited, "Too many of these requests: wait, then try again.", map[string]any{"retryAfterSeconds": seconds(limited.RetryAfter)}
	case errors.As(err, &complex):
		return ErrorCodeQueryTooComplex, "The document asks for too much: extensions.limit says what of.", map[string]any{"limit": complex.Limit, "max": complex.Max}
	case errors.As(err, &input):
		field, message := input.Input()
		return ErrorCodeBadInput, message, map[string]any{"field": field}
	}
	for _, e := range publicErrors {
		if !errors.Is(err, e.err) {
			continue
		}
		switch e.code {
		case ErrorCodeLoginCodeInvalid, ErrorCodePhoneCodeInvalid:
			extensions = map[string]any{"retryable": false}
		case ErrorCodeWechatUnavailable: // the code may be spent, so the same request is not worth repeating
			extensions = map[string]any{"retryable": false, "retryAfterSeconds": seconds(wechatRetryAfter)}
		}
		return e.code, e.message, extensions
	}
	return "", "", nil
}

var unauthenticated = map[auth.Reason]string{
	auth.ReasonMissing: "This field needs a login: send the token as the header Authorization: Bearer TOKEN.",
	auth.ReasonInvalid: "This is not a token of this server's: log in again.",
	auth.ReasonExpired: "The token has expired: log in again.",
	auth.ReasonRevoked: "The session was ended: log in again.",
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// requestError presents what gqlgen and gqlparser refused before any field was resolved.
func requestError(err *gqlerror.Error) *gqlerror.Error {
	switch {
	case err.Extensions["code"] == errcode.ParseFailed:
		err.Extensions = map[string]any{"code": ErrorCodeGraphqlParseFailed}
	default:
		err.Extensions = map[string]any{"code": ErrorCodeGraphqlValidationFailed}
	}
	return err
}

func (p presenter) logInternal(ctx context.Context, err error, at *gqlerror.Error) {
	var fault *panicError
	switch {
	case errors.As(err, &fault):
		p.log.ErrorContext(ctx, "a resolver panicked", "path", at.Path.String(), "fault", fault.Error(), "stack", string(fault.stack))
	case errors.Is(err, context.Canceled) && ctx.Err() != nil: // the client has gone, nobody reads the answer
		p.log.DebugContext(ctx, "client went away", "path", at.Path.String())
	default:
		p.log.ErrorContext(ctx, "a field failed", "path", at.Path.String(), "err", err)
	}
}

// logWeChat tells the operator what WeChat answered: loudest where there is something to fix, not at all where the
// client alone has to act.
func (p presenter) logWeChat(ctx context.Context, err error) {
	var fault *wechat.Error
	switch {
	case !errors.As(err, &fault), errors.Is(err, wechat.ErrCodeInvalid):
	case errors.Is(err, wechat.ErrMisconfigured):
		p.log.ErrorContext(ctx, "WeChat refuses this server", "err", fault, "fix", fault.Hint())
	case errors.Is(err, wechat.ErrBlocked):
		p.log.InfoContext(ctx, "WeChat refuses a user", "err", fault)
	default:
		p.log.WarnContext(ctx, "WeChat gave no usable answer", "err", fault)
	}
}
