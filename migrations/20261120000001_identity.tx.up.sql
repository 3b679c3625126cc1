CREATE TABLE users (
    id            uuid        NOT NULL PRIMARY KEY,
    app_id        text        NOT NULL,
    open_id       text,
    union_id      text,
    points        bigint      NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    last_login_at timestamptz,
    disabled_at   timestamptz,
    deleted_at    timestamptz,
    CONSTRAINT users_points_check CHECK (points >= 0)
);

--bun:split

-- What must be unique over all users: an openid in its app, a unionid (app_id is then empty), a phone in its app.
-- Distributed by subject on Citus, so there is no foreign key to users, which live on other shards.
CREATE TABLE user_identities (
    subject    text        NOT NULL,
    app_id     text        NOT NULL,
    kind       text        NOT NULL,
    user_id    uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (subject, app_id, kind),
    CONSTRAINT user_identities_kind_check CHECK (kind IN ('wx_open_id', 'wx_union_id', 'phone'))
);

--bun:split

CREATE TABLE sessions (
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id         uuid        NOT NULL,
    app_id     text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (user_id, id)
);

--bun:split

CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

--bun:split

-- The session key WeChat gave for a user in an app, sealed, and the one before it. The fingerprint is a keyed hash that
-- tells whether WeChat gave the same key again.
CREATE TABLE wechat_session_keys (
    user_id         uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    app_id          text        NOT NULL,
    open_id         text        NOT NULL,
    sealed          bytea       NOT NULL,
    fingerprint     bytea       NOT NULL,
    exchanged_at    timestamptz NOT NULL,
    previous_sealed bytea,
    replaced_at     timestamptz,
    PRIMARY KEY (user_id, app_id)
);

--bun:split

CREATE TABLE auth_events (
    user_id    uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id         uuid        NOT NULL,
    kind       text        NOT NULL,
    app_id     text        NOT NULL,
    request_id text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, id)
);
