package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// errNotTrusted says that a document is not on the list of those the server executes.
var errNotTrusted = errors.New("graph: document not trusted")

// TrustedDocuments are the documents of a server's own clients, by the SHA-256 of their text in lower-case hex.
type TrustedDocuments map[string]string

// ParseTrustedDocuments reads the file a client's build writes: a JSON object of hash to document. Every hash must be
// its document's.
func ParseTrustedDocuments(text []byte) (TrustedDocuments, error) {
	var documents TrustedDocuments
	if err := json.Unmarshal(text, &documents); err != nil {
		return nil, errors.New("it must be a JSON object of SHA-256 to document")
	}
	if len(documents) == 0 {
		return nil, errors.New("it holds no documents, so no request would be answered")
	}
	for hash, document := range documents {
		if hash != hashOf(document) {
			return nil, fmt.Errorf("%q is not the SHA-256 of its document: %q is", hash, hashOf(document))
		}
	}
	return documents, nil
}

func hashOf(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

// trusted puts the document in the place of its hash, as clients send it in the extension persistedQuery, and when it
// is strict refuses every other.
type trusted struct {
	documents TrustedDocuments
	strict    bool
}

var _ graphql.OperationParameterMutator = trusted{}

// ExtensionName implements graphql.HandlerExtension.
func (trusted) ExtensionName() string { return "TrustedDocuments" }

// Validate implements graphql.HandlerExtension.
func (trusted) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters implements graphql.OperationParameterMutator.
func (t trusted) MutateOperationParameters(_ context.Context, params *graphql.RawParams) *gqlerror.Error {
	if params.Query == "" {
		document, ok := t.documents[persistedHash(params.Extensions)]
		if !ok {
			return gqlerror.Wrap(errNotTrusted)
		}
		params.Query = document
		return nil
	}
	if !t.strict {
		return nil
	}
	if _, ok := t.documents[hashOf(params.Query)]; !ok {
		return gqlerror.Wrap(errNotTrusted)
	}
	return nil
}

// persistedHash is the hash a client sends in place of a document, empty for none.
// (www.apollographql.com/docs/apollo-server/performance/apq)
func persistedHash(extensions map[string]any) string {
	persisted, _ := extensions["persistedQuery"].(map[string]any)
	hash, _ := persisted["sha256Hash"].(string)
	return hash
}
