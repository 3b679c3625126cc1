ALTER TABLE users ADD COLUMN nickname text;

--bun:split

-- An avatar uploaded here, or else one of WeChat's own by its address.
ALTER TABLE users ADD COLUMN avatar_id uuid;

--bun:split

ALTER TABLE users ADD COLUMN avatar_url text;

--bun:split

-- The phone number, sealed; and copies of the identities that claim it, space-separated: a keyed hash for each data key.
ALTER TABLE users ADD COLUMN phone_sealed bytea;

--bun:split

ALTER TABLE users ADD COLUMN phone_subjects text;

--bun:split

CREATE INDEX users_avatar_id_idx ON users (avatar_id);

--bun:split

-- Who uploaded what. A row that no user's avatar_id names is an orphan, and is collected.
CREATE TABLE avatars (
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id         uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, id)
);

--bun:split

-- WeChat's credential for server calls of an app, sealed, shared by all instances; whoever holds the lease renews it.
CREATE TABLE wechat_access_tokens (
    app_id      text        NOT NULL PRIMARY KEY,
    sealed      bytea,
    expires_at  timestamptz,
    forced_at   timestamptz,
    forced      integer     NOT NULL DEFAULT 0,
    lease_owner text,
    lease_until timestamptz,
    updated_at  timestamptz NOT NULL
);
