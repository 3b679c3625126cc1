DROP TABLE wechat_access_tokens;

--bun:split

DROP TABLE avatars;

--bun:split

DROP INDEX users_avatar_id_idx;

--bun:split

ALTER TABLE users DROP COLUMN phone_subjects;

--bun:split

ALTER TABLE users DROP COLUMN phone_sealed;

--bun:split

ALTER TABLE users DROP COLUMN avatar_url;

--bun:split

ALTER TABLE users DROP COLUMN avatar_id;

--bun:split

ALTER TABLE users DROP COLUMN nickname;
