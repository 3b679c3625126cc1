package graph

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"wxpass/auth"
)

const (
	mediaJSON    = "application/json"
	mediaGraphQL = "application/graphql-response+json"
)

// maxRequestErrors is how many faults of a document are told: it may have one in every word.
const maxRequestErrors = 5

// transport speaks GraphQL over HTTP (graphql.github.io/graphql-over-http) to the letter. Its answers to what it
// refuses are fixed texts: nothing of a request, which may hold login codes, is ever echoed.
type transport struct {
	maxBody int64 // bytes
	get     bool  // whether queries may come by GET
	failed  func(ErrorCode)
}

// refused is the body of an answer without data.
type refused struct {
	Errors gqlerror.List `json:"errors"`
}

// refusal is an answer to a request that never became an operation.
type refusal struct {
	status     int
	code       ErrorCode
	message    string
	extensions map[string]any
}

func (refusal) Error() string { return "graph: request refused" }

// Supports reports that every request is ours: what it cannot serve, it refuses in the API's own words.
func (transport) Supports(*http.Request) bool { return true }

// Do reads the operation, has it executed and writes the answer.
func (t transport) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	media, ok := negotiate(r.Header.Values("Accept"))
	if !ok {
		t.refuse(w, r, mediaJSON, badHeader(http.StatusNotAcceptable, "Accept", "This endpoint answers "+mediaGraphQL+" or "+mediaJSON+"."))
		return
	}
	params, fault := t.read(w, r)
	if fault != nil {
		t.refuse(w, r, media, fault)
		return
	}
	ctx := r.Context()
	operation, errs := exec.CreateOperationContext(ctx, params)
	if errs != nil { // parsing, validation, variables: nothing was executed, so there is no data entry
		status := http.StatusOK
		if media == mediaGraphQL {
			status = http.StatusBadRequest
		}
		errs = errs[:min(len(errs), maxRequestErrors)]
		answer := exec.DispatchError(graphql.WithOperationContext(ctx, operation), errs)
		write(w, r, media, status, refused{answer.Errors})
		return
	}
	if r.Method != http.MethodPost && operation.Operation.Operation != ast.Query {
		w.Header().Set("Allow", http.MethodPost)
		t.refuse(w, r, media, &refusal{status: http.StatusMethodNotAllowed, code: ErrorCodeBadInput, message: "Only queries may be sent with GET."})
		return
	}
	respond, ctx := exec.DispatchOperation(ctx, operation)
	write(w, r, media, http.StatusOK, respond(ctx))
}

// read takes the operation out of the request.
func (t transport) read(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, *refusal) {
	params := &graphql.RawParams{Headers: r.Header}
	params.ReadTime.Start = graphql.Now()
	var fault *refusal
	switch {
	case r.Method == http.MethodPost:
		fault = t.readBody(w, r, params)
	case t.get && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		fault = readQuery(r.URL.Query(), params)
	default:
		w.Header().Set("Allow", t.allow())
		fault = &refusal{status: http.StatusMethodNotAllowed, code: ErrorCodeBadInput, message: "Send the operation with POST."}
	}
	if fault == nil && params.Query == "" && persistedHash(params.Extensions) == "" {
		fault = badJSON("The query is missing.")
	}
	params.ReadTime.End = graphql.Now()
	return params, fault
}

func (t transport) allow() string {
	if t.get {
		return "GET, HEAD, POST"
	}
	return "POST"
}

func (t transport) readBody(w http.ResponseWriter, r *http.Request, params *graphql.RawParams) *refusal {
	if !isJSON(r.Header.Get("Content-Type")) {
		return badHeader(http.StatusUnsupportedMediaType, "Content-Type", "Send the operation as "+mediaJSON+" in UTF-8.")
	}
	if r.Header.Get("Content-Encoding") != "" { // what is small compressed is large afterwards
		return badHeader(http.StatusUnsupportedMediaType, "Content-Encoding", "Send the operation without compression.")
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, t.maxBody))
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return &refusal{status: http.StatusRequestEntityTooLarge, code: ErrorCodeQueryTooComplex, message: "The request body is too large.",
			extensions: map[string]any{"limit": "body", "max": t.maxBody}}
	case err != nil:
		return badJSON("The request body could not be read.")
	}
	object, err := decodeObject(text)
	if err != nil {
		return badJSON("The request body is not one JSON object in UTF-8, each name once, with query, variables, operationName and extensions.")
	}
	return fill(params, object)
}

func isJSON(contentType string) bool {
	if contentType == mediaJSON { // nearly always
		return true
	}
	media, params, err := mime.ParseMediaType(contentType)
	charset := params["charset"]
	return err == nil && media == mediaJSON && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

// readQuery reads the query part of the URL, where variables and extensions are JSON in text.
func readQuery(q url.Values, params *graphql.RawParams) *refusal {
	object := map[string]any{}
	for _, name := range []string{"query", "operationName", "variables", "extensions"} {
		switch values := q[name]; {
		case len(values) > 1:
			return badJSON("The request has its " + name + " more than once.")
		case len(values) == 0 || values[0] == "":
		case name == "variables" || name == "extensions":
			value, err := decodeObject([]byte(values[0]))
			if err != nil {
				return badJSON("The request's " + name + " are not a JSON object.")
			}
			object[name] = value
		default:
			object[name] = values[0]
		}
	}
	return fill(params, object)
}

// fill takes the members of a request. One that is null is as good as absent.
func fill(params *graphql.RawParams, object map[string]any) *refusal {
	return cmp.Or(
		member(object, "query", "is not a text", &params.Query),
		member(object, "operationName", "is not a text", &params.OperationName),
		member(object, "variables", "are not a JSON object", &params.Variables),
		member(object, "extensions", "are not a JSON object", &params.Extensions),
	)
}

func member[T any](object map[string]any, name, fault string, into *T) *refusal {
	value, ok := object[name].(T)
	if !ok && object[name] != nil {
		return badJSON("The request's " + name + " " + fault + ".")
	}
	*into = value
	return nil
}

// negotiate picks the media type of the answer by the weights of Accept, the earlier entry on a tie; ok is false when
// the client takes neither.
func negotiate(accept []string) (media string, ok bool) {
	all := strings.TrimSpace(strings.Join(accept, ","))
	if all == "" {
		return mediaJSON, true
	}
	best := 0.0
	for _, entry := range strings.Split(all, ",") {
		m, params, err := mime.ParseMediaType(strings.TrimSpace(entry))
		if err != nil {
			continue
		}
		weight := 1.0
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil {
			weight = q
		}
		switch m {
		case mediaGraphQL, mediaJSON:
		case "*/*", "application/*":
			m = mediaJSON
		default:
			continue
		}
		if weight > best {
			best, media = weight, m
		}
	}
	return media, media != ""
}

func badJSON(message string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: ErrorCodeGraphqlParseFailed, message: message}
}

func badHeader(status int, name, message string) *refusal {
	return &refusal{status: status, code: ErrorCodeBadInput, message: message, extensions: map[string]any{"field": name}}
}

func (t transport) refuse(w http.ResponseWriter, r *http.Request, media string, fault *refusal) {
	extensions := map[string]any{"code": fault.code, "requestId": auth.RequestFrom(r.Context()).ID}
	maps.Copy(extensions, fault.extensions)
	t.failed(fault.code)
	write(w, r, media, fault.status, refused{gqlerror.List{{Message: fault.message, Extensions: extensions}}})
}

func write(w http.ResponseWriter, r *http.Request, media string, status int, answer any) {
	text, err := encode(answer)
	if err != nil { // the data of a resolver that is no JSON
		status = http.StatusInternalServerError
		text = fmt.Appendf(nil, `{"errors":[{"message":"The server failed.","extensions":{"code":"INTERNAL","requestId":%q}}]}`, auth.RequestFrom(r.Context()).ID)
	}
	header := w.Header()
	header.Set("Content-Type", media+"; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	w.Write(text) // an error here means the client has gone
	// At once: the client need not wait for the access line and all that is done behind an answer.
	http.NewResponseController(w).Flush()
}

// encode makes the text of an answer. The data of one without errors is put in as it is: encoding/json would read all
// of it again, which takes longer than executing did.
func encode(answer any) ([]byte, error) {
	if a, ok := answer.(*graphql.Response); ok && a != nil && len(a.Errors) == 0 && len(a.Extensions) == 0 {
		return slices.Concat([]byte(`{"data":`), a.Data, []byte(`}`)), nil
	}
	return json.Marshal(answer)
}
