package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"regexp"
	"strings"
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
	{errNotTrusted, ErrorCodeOperationNotTrusted, "This server executes the documents on its list only, by their SHA-256 or their full text."},
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

// wechatRetryAfter is how long a client is told to wait for WeChat to come back when nothing better is known.
const wechatRetryAfter = 5 * time.Second

// wechatOutage says when to come back, and whether with the same request: only when WeChat never got it, for else its
// code may be spent.
func wechatOutage(err error) map[string]any {
	fault := &wechat.Error{}
	errors.As(err, &fault)
	return map[string]any{"retryable": fault.NotSent, "retryAfterSeconds": seconds(cmp.Or(fault.RetryAfter, wechatRetryAfter))}
}

// panicError is a panic on its way to the presenter.
type panicError struct {
	fault any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.fault) }

// presenter turns what a field failed with into what a client may learn of it.
type presenter struct {
	log         *slog.Logger
	development bool // texts for whoever writes the document
}

func (p presenter) present(ctx context.Context, err error) *gqlerror.Error {
	out := &gqlerror.Error{Path: graphql.GetPath(ctx)}
	var request *gqlerror.Error
	if errors.As(err, &request) {
		out.Locations, out.Rule = request.Locations, request.Rule
		if request.Path != nil {
			out.Path = request.Path
		}
		if request.Unwrap() == nil && request.Extensions != nil { // parsing and validation speak for themselves
			return p.requestError(request)
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
	shown := presenter{log: log}.present(r.Context(), err)
	shown.Path = nil
	if status == 0 {
		code, _ := shown.Extensions["code"].(ErrorCode)
		status = cmp.Or(statuses[code], http.StatusInternalServerError)
	}
	write(w, r, mediaJSON, status, refused{gqlerror.List{shown}})
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
	if errors.Is(err, order.ErrOwnerGone) {
		err = &auth.UnauthenticatedError{Reason: auth.ReasonRevoked}
	}
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
		case ErrorCodeWechatUnavailable:
			extensions = wechatOutage(err)
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

// maxMessage is how many bytes of a text of gqlparser's are passed on.
const maxMessage = 500

// requestError presents what gqlgen and gqlparser refused before any field was resolved. Their texts repeat the request,
// where a login code may stand in the wrong place, and tell what the schema has; in production they are replaced.
func (p presenter) requestError(err *gqlerror.Error) *gqlerror.Error {
	out := &gqlerror.Error{Locations: err.Locations}
	code := ErrorCodeGraphqlValidationFailed
	switch {
	case err.Extensions["code"] == errcode.ParseFailed:
		code, out.Message = ErrorCodeGraphqlParseFailed, "The document is not GraphQL."
		if kinds := tokenKinds.FindString(err.Message); kinds != "" && p.development {
			out.Message += " " + kinds + "."
		}
	case !p.development:
		out.Message = "The document or its variables do not fit the schema."
	case len(err.Path) > 1 && err.Rule == "": // a variable
		out.Message, out.Path = "A variable does not fit its type.", err.Path
		if variableFault.MatchString(err.Message) {
			out.Message = "A variable does not fit its type: " + err.Message + "."
		}
		if err.Message == "unknown field" { // the last of the path is the request's own
			out.Message, out.Path = "A variable has a field its type has not.", err.Path[:len(err.Path)-1]
		}
	case strings.HasPrefix(err.Rule, "ValuesOfCorrectType"):
		out.Message = valueFault(err.Message)
	case err.Rule == "": // the operation itself; it names what was asked for
		out.Message = "The document has no such operation: send one, or its operationName."
	case len(err.Message) > maxMessage: // a name of thousands of letters
		out.Message = "The document does not fit the schema."
	default:
		out.Message = err.Message
	}
	out.Extensions = map[string]any{"code": code}
	return out
}

var (
	// tokenKinds is what gqlparser says of tokens, without what they hold.
	tokenKinds = regexp.MustCompile(`^(Unexpected|Expected \S+, found) [A-Za-z<>]+`)
	// variableFault is what it says of variables without saying what they are.
	variableFault = regexp.MustCompile(`^(must be .*|cannot be null|cannot use \w+ as \w+|enums must be .*)$`)
	// The rest is of values in the document: texts that repeat none, or one at their end, or one at their beginning.
	safeFault    = regexp.MustCompile(`^Field "\w+" is not defined by type "[^"]*"\.( Did you mean .*)?$`)
	safeHead     = regexp.MustCompile(`^(Field "\w+\.\w+" (of required type "[^"]*" was not provided|must be non-null)|OneOf Input Object "\w+" must specify exactly one key|Enum "\w+" cannot represent non-enum value|\w+ cannot represent (a )?non[-a-z0-9 ]* value|Expected value of type "[^"]*")`)
	unknownValue = regexp.MustCompile(`^Value "[^"]*" does not exist in "(\w+)" enum\.( Did you mean .*)?$`)
)

// valueFault is what gqlparser says of a value in the document, without the value.
func valueFault(message string) string {
	if len(message) <= maxMessage && safeFault.MatchString(message) {
		return message
	}
	if m := unknownValue.FindStringSubmatch(message); m != nil {
		return "A value does not exist in the enum " + m[1] + "." + m[2]
	}
	if head := safeHead.FindString(message); head != "" {
		return head + "."
	}
	return "A value does not fit its type."
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
	case fault.NotSent && fault.RetryAfter > 0: // by us: the reason was logged when it began, and this is one of many
		p.log.DebugContext(ctx, "WeChat was not asked", "err", fault)
	default:
		p.log.WarnContext(ctx, "WeChat gave no usable answer", "err", fault)
	}
}
