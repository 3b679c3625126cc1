package graph

import (
	"context"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/vektah/gqlparser/v2/ast"
)

const (
	maxDocument  = 8 << 10  // bytes of text; a longer document is parsed each time
	maxDocuments = 32 << 20 // bytes of memory for all
	// documentCost is how much memory a parsed document takes for each byte of its text: fields of one letter come to
	// that, those of a client to a third.
	documentCost = 150
	documentBase = 1 << 10 // and beside that
)

// documents keeps documents that were parsed and found valid, the most recently used ones, as far as memory goes.
type documents struct {
	mu   sync.Mutex
	lru  *simplelru.LRU[string, *ast.QueryDocument]
	size int
}

// newDocuments makes an empty cache. Its number of entries follows from their least size.
func newDocuments() *documents {
	d := &documents{}
	lru, err := simplelru.NewLRU(maxDocuments/documentBase, func(text string, _ *ast.QueryDocument) { d.size -= weigh(text) })
	if err != nil {
		panic(err) // the size is a constant
	}
	d.lru = lru
	return d
}

func weigh(text string) int { return documentBase + documentCost*len(text) }

// Get implements graphql.Cache.
func (d *documents) Get(_ context.Context, text string) (*ast.QueryDocument, bool) {
	if len(text) > maxDocument {
		return nil, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lru.Get(text)
}

// Add implements graphql.Cache.
func (d *documents) Add(_ context.Context, text string, doc *ast.QueryDocument) {
	if len(text) > maxDocument {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lru.Contains(text) { // another request was as fast
		return
	}
	d.lru.Add(text, doc)
	for d.size += weigh(text); d.size > maxDocuments; {
		d.lru.RemoveOldest()
	}
}
