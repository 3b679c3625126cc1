package avatar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

const extension = ".jpg"

// Store keeps avatars, each under an id, in a folder or a bucket. An avatar never changes. It is an http.Handler that
// serves them where the pattern ends in {name}, as ID.jpg.
type Store struct {
	keep bucket
	now  func() time.Time
	log  *slog.Logger
}

// bucket keeps small objects by name. What it has put is there as a whole or not at all.
type bucket interface {
	put(ctx context.Context, name string, data []byte) error
	get(ctx context.Context, name string) ([]byte, error) // fails with ErrNotFound
	remove(ctx context.Context, name string) error        // no matter whether it is there
	// walk calls visit with the names of all objects, some hundred at a time, in any order. Objects may be removed
	// meanwhile.
	walk(ctx context.Context, visit func(names []string) error) error
}

// Options say where avatars are kept.
type Options struct {
	// URL is file:FOLDER, or s3://BUCKET[/PREFIX] with these parameters: endpoint, the http(s):// address of an
	// S3-compatible service, Amazon's by default; region, us-east-1 by default; style, path or host, which says where
	// the bucket's name stands in addresses, by default what the endpoint is known to want.
	URL string
	// The key of an S3 account, and the token that goes with a temporary one.
	AccessKeyID, SecretAccessKey, SessionToken string

	Now func() time.Time // required
	Log *slog.Logger     // required
}

// Open prepares a store, making the folder; a bucket must be there already, and is not asked. An error names the fault
// and shows no secret.
func Open(o Options) (*Store, error) {
	s := &Store{now: o.Now, log: o.Log}
	var err error
	switch scheme, rest, _ := strings.Cut(o.URL, ":"); scheme {
	case "file":
		s.keep, err = openFolder(strings.TrimPrefix(rest, "//"))
	case "s3":
		s.keep, err = openS3(o)
	default:
		err = errors.New("the URL must begin with file: or s3://")
	}
	if err != nil {
		return nil, fmt.Errorf("avatar: open store: %w", err)
	}
	return s, nil
}

// Put stores an avatar that Process made and returns its id, a UUIDv7.
func (s *Store) Put(ctx context.Context, avatar []byte) (uuid.UUID, error) {
	id := newID(s.now())
	if err := s.keep.put(ctx, id.String()+extension, avatar); err != nil {
		return uuid.Nil, fmt.Errorf("avatar: put: %w", err)
	}
	return id, nil
}

// Delete removes an avatar for good. One that is not there is no error.
func (s *Store) Delete(ctx context.Context, id uuid.UUID) error {
	if err := s.keep.remove(ctx, id.String()+extension); err != nil {
		return fmt.Errorf("avatar: delete: %w", err)
	}
	return nil
}

// Collect deletes the avatars made before that nobody uses: those that no user took, and those that were replaced.
// inUse is asked about some hundred at a time and returns those in use. It returns how many went, also with an error.
//
// Whoever begins to use an avatar after inUse was asked, and before it is deleted a moment later, loses it. With before
// a day ago that takes a user who uploads a picture and takes it a day later, in that very second.
func (s *Store) Collect(ctx context.Context, before time.Time, inUse func(context.Context, []uuid.UUID) ([]uuid.UUID, error)) (deleted int, err error) {
	err = s.keep.walk(ctx, func(names []string) error {
		var old []uuid.UUID
		for _, name := range names {
			whole, crashed := strings.CutSuffix(name, unfinished)
			id, ok := parseName(whole)
			switch {
			case !ok || !madeAt(id).Before(before):
			case !crashed:
				old = append(old, id)
			default:
				if err := s.keep.remove(ctx, name); err != nil {
					return err
				}
			}
		}
		if len(old) == 0 {
			return nil
		}
		used, err := inUse(ctx, old)
		if err != nil {
			return err
		}
		for _, id := range old {
			if slices.Contains(used, id) {
				continue
			}
			if err := s.keep.remove(ctx, id.String()+extension); err != nil {
				return err
			}
			deleted++
		}
		return nil
	})
	if err != nil {
		return deleted, fmt.Errorf("avatar: collect: %w", err)
	}
	return deleted, nil
}

// ServeHTTP answers GET and HEAD for an avatar, in full, in part, or not again.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, ok := parseName(r.PathValue("name"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	data, err := s.keep.get(r.Context(), id.String()+extension)
	switch {
	case errors.Is(err, ErrNotFound):
		http.NotFound(w, r)
		return
	case err != nil:
		if r.Context().Err() == nil {
			s.log.ErrorContext(r.Context(), "an avatar cannot be read", "avatar", id, "err", err)
		}
		http.Error(w, "The avatar cannot be read now.", http.StatusBadGateway)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "image/jpeg")
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin") // for web pages of other origins, since a Mini Program has none
	header.Set("ETag", `"`+id.String()+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// newID returns a UUIDv7 (RFC 9562, section 5.7), whose 74 random bits nobody guesses.
func newID(now time.Time) uuid.UUID {
	id := uuid.New()
	for i, ms := 5, now.UnixMilli(); i >= 0; i, ms = i-1, ms>>8 {
		id[i] = byte(ms)
	}
	id[6] = 0x70 | id[6]&0x0f
	return id
}

// madeAt is the time in a UUIDv7.
func madeAt(id uuid.UUID) time.Time {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms)
}

// parseName takes only names as Put makes them.
func parseName(name string) (uuid.UUID, bool) {
	text, ok := strings.CutSuffix(name, extension)
	if !ok {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil && id.Version() == 7 && id.String() == text
}
