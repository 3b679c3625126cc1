DROP TABLE auth_events;

--bun:split

DROP TABLE wechat_session_keys;

--bun:split

DROP TABLE sessions;

--bun:split

DROP TABLE user_identities;

--bun:split

DROP TABLE users;
