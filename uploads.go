package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
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
)

// uploads is the route that takes avatars: the caller is who the token says, and what goes wrong is told in the API's
// own words.
func uploads(store *db.Store, avatars *avatar.Store, log *slog.Logger) http.Handler {
	return &avatar.Upload{
		Store: avatars,
		User: func(ctx context.Context) (uuid.UUID, error) {
			p, err := auth.PrincipalFrom(ctx)
			if err != nil {
				return uuid.Nil, err
			}
			return p.User.ID, nil
		},
		Record: func(ctx context.Context, user, id uuid.UUID) error {
			recorded, err := store.CreateAvatar(ctx, user, id, maxAvatars)
			if err == nil && !recorded {
				err = &graph.RateLimitedError{RetryAfter: collectEvery}
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
}

// uploadURL is where the client that asks finds an uploaded image.
func uploadURL(ctx context.Context, id uuid.UUID) string {
	return auth.RequestFrom(ctx).Origin + "/avatars/" + id.String() + ".jpg"
}

// collectOrphans deletes, now and every hour until ctx ends, the uploads no user took and those that were replaced.
func collectOrphans(ctx context.Context, store *db.Store, avatars *avatar.Store, now func() time.Time, log *slog.Logger) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		n, err := avatars.Collect(ctx, now().Add(-orphanAge), store.AvatarsInUse)
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
