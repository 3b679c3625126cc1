package db

import (
	"context"
	"database/sql"
)

// Login is what a login of somebody who has an account writes, all of one user and one app.
type Login struct {
	Session *Session
	Key     *SessionKey
	Event   Event
	Phone   PhoneForm
}

// PhoneForm is what a phone number looks like that was kept with today's keys.
type PhoneForm struct {
	Subjects string // of User.PhoneSubjects, a pattern of LIKE's
	Sealed   []byte // what User.PhoneSealed begins with
}

// enterQuery is a login in one statement. All of it hangs on u, and u waits for the user's row as LockUser does and then
// looks at it again: for a user that was deleted meanwhile, say, nothing is written. The phone's owner is compared and not
// asked for with EXISTS, which PostgreSQL may answer by reading all claims of the app.
const enterQuery = `WITH u AS (
	UPDATE users SET last_login_at = $2, updated_at = $2
	WHERE id = $1 AND deleted_at IS NULL AND disabled_at IS NULL AND (phone_sealed IS NULL
		OR phone_subjects LIKE $13 AND substr(phone_sealed, 1, length($14::bytea)) = $14 AND id = (SELECT i.user_id FROM user_identities AS i
			WHERE i.subject = split_part(phone_subjects, ' ', 1) AND i.app_id = $3 AND i.kind = $15))
	RETURNING ` + userColumns + `
), k AS (` + insertSessionKey + ` SELECT u.id, $3, $4::text, $5::bytea, $6::bytea, $7::timestamptz FROM u` + unlessOlder + `
), d AS (` + deleteEnded + ` AND EXISTS (SELECT 1 FROM u)
), s AS (` + insertSession + ` SELECT u.id, $8::uuid, $3, $2, $9::timestamptz FROM u
), e AS (` + insertEvent + ` SELECT u.id, $10::uuid, $11::text, $3, $12::text, $2 FROM u
) SELECT * FROM u`

// EnterKnown writes a login of somebody who has an account, and returns the user: what RecordLogin, SaveSessionKey,
// DeleteEndedSessions, CreateSession and RecordEvent do in a transaction, in one statement. ErrNotFound says that nothing
// was written and the transaction has to be taken: for a user who is not there, is disabled or deleted, or whose phone number
// is not claimed in the app by today's keys; and for every user inside a transaction, on SQLite, which has no such statements,
// and on Citus, which cannot route them. When the connection breaks the login fails and is not repeated: like a commit, it may
// have happened.
//
// On two cores shared with PostgreSQL the transaction takes 0.59 ms of a login at 32 clients and this 0.28 ms; with it
// silentLogin spends 0.85 of the floor's processor time (see bench), and 1.25 without.
func (s *Store) EnterKnown(ctx context.Context, l Login) (*User, error) {
	if s.inTx() || !s.plain(ctx) {
		return nil, wrap("enter", ErrNotFound)
	}
	now := s.now()
	user, err := s.user(ctx, enterQuery, l.Session.UserID, now, l.Session.AppID,
		l.Key.OpenID, l.Key.Sealed, l.Key.Fingerprint, stamp(l.Key.ExchangedAt),
		l.Session.ID, stamp(l.Session.ExpiresAt),
		NewID(), l.Event.Kind, l.Event.RequestID,
		l.Phone.Subjects, l.Phone.Sealed, IdentityPhone)
	if gaveUp(err) { // the transaction may be luckier, and is tried again
		err = sql.ErrNoRows
	}
	if err != nil {
		return nil, wrap("enter", err)
	}
	l.Session.CreatedAt = now
	return user, nil
}
