package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"wxpass/auth"
	"wxpass/avatar"
	"wxpass/db"
	"wxpass/graph"
)

const (
	maxAvatars   = 50             // uploads of a user that have not been collected
	orphanAge    = 24 * time.Hour // after which an upload nobody took is collected
	collectEvery = time.Hour
	uploadTime   = 10 * time.Second // for a body to arrive
)

// uploads is the route that takes avatars: the caller is who the token says, and what goes wrong is told in the API's
// own words.
func uploads(store *db.Store, avatars *avatar.Store, now func() time.Time, log *slog.Logger) http.Handler {
	var underWay sync.Map // users who are uploading
	upload := &avatar.Upload{
		Store: avatars,
		User: func(ctx context.Context) (uuid.UUID, error) {
			p, err := auth.PrincipalFrom(ctx)
			if err != nil {
				return uuid.Nil, err
			}
			n, err := store.CountAvatars(ctx, p.User.ID)
			if err == nil && n >= maxAvatars {
				err = errTooManyUploads
			}
			return p.User.ID, err
		},
		Record: func(ctx context.Context, user, id uuid.UUID) error {
			recorded, err := store.CreateAvatar(ctx, user, id, maxAvatars)
			if err == nil && !recorded {
				err = errTooManyUploads
			}
			if errors.Is(err, db.ErrNotFound) { // deleted meanwhile
				err = &auth.UnauthenticatedError{Reason: auth.ReasonRevoked}
			}
			return err
		},
		URL: uploadURL,
		Refuse: func(w http.ResponseWriter, r *http.Request, err error) {
			var bad *avatar.InputError
			switch {
			case errors.As(err, &bad):
				graph.Refuse(w, r, log, bad.Status, &auth.InputError{Field: "file", Message: bad.Message})
			case errors.Is(err, avatar.ErrBusy):
				graph.Refuse(w, r, log, http.StatusServiceUnavailable, &graph.RateLimitedError{RetryAfter: time.Second})
			default:
				graph.Refuse(w, r, log, 0, err)
			}
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// One upload of a user at a time, and not for long: room for bodies is scarce, and everybody's.
		if p, err := auth.PrincipalFrom(r.Context()); err == nil {
			if _, busy := underWay.LoadOrStore(p.User.ID, true); busy {
				upload.Refuse(w, r, avatar.ErrBusy)
				return
			}
			defer underWay.Delete(p.User.ID)
		}
		if err := http.NewResponseController(w).SetReadDeadline(now().Add(uploadTime)); err != nil {
			log.WarnContext(r.Context(), "an upload has no deadline", "err", err)
		}
		upload.ServeHTTP(w, r)
	})
}

// errTooManyUploads says that a user has uploaded all that is allowed, until the collector has been.
var errTooManyUploads = &graph.RateLimitedError{RetryAfter: orphanAge}

// uploadURL is where the client that asks finds an uploaded image.
func uploadURL(ctx context.Context, id uuid.UUID) string {
	return auth.RequestFrom(ctx).Origin + "/avatars/" + id.String() + ".jpg"
}

// collectOrphans deletes, now and every hour until ctx ends, the uploads no user took and those that were replaced.
func collectOrphans(ctx context.Context, store *db.Store, avatars *avatar.Store, now func() time.Time, log *slog.Logger) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		n, err := avatars.Collect(ctx, now().Add(-orphanAge), store.AvatarsToKeep)
		switch {
		case err != nil && ctx.Err() == nil:
			log.WarnContext(ctx, "orphaned avatars were not all collected", "err", err, "deleted", n)
		case n > 0:
			log.InfoContext(ctx, "orphaned avatars collected", "deleted", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
