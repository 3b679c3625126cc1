-- What can be ordered. The same for all users; a reference table on Citus, copied to every node.
CREATE TABLE products (
    id         uuid        NOT NULL PRIMARY KEY,
    sku        text        NOT NULL,
    title      text        NOT NULL,
    price_fen  bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT products_sku_key UNIQUE (sku),
    CONSTRAINT products_price_check CHECK (price_fen >= 0)
);

--bun:split

-- Makes a number unique over all users, and finds the order of a payment notice, which knows the number alone.
CREATE TABLE order_numbers (
    order_no   text        NOT NULL PRIMARY KEY,
    user_id    uuid        NOT NULL,
    order_id   uuid        NOT NULL,
    created_at timestamptz NOT NULL
);

--bun:split

CREATE TABLE orders (
    user_id         uuid        NOT NULL REFERENCES users (id),
    id              uuid        NOT NULL,
    app_id          text        NOT NULL,
    order_no        text        NOT NULL,
    status          text        NOT NULL,
    total_fen       bigint      NOT NULL,
    remark          text,
    idempotency_key text        NOT NULL,
    content_hash    bytea       NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (user_id, id),
    CONSTRAINT orders_user_id_order_no_key UNIQUE (user_id, order_no),
    CONSTRAINT orders_user_id_idempotency_key_key UNIQUE (user_id, idempotency_key),
    CONSTRAINT orders_status_check CHECK (status IN ('pending', 'paid', 'cancelled')),
    CONSTRAINT orders_total_check CHECK (total_fen >= 0)
);

--bun:split

CREATE INDEX orders_user_id_status_id_idx ON orders (user_id, status, id);

--bun:split

CREATE TABLE order_items (
    user_id        uuid    NOT NULL,
    order_id       uuid    NOT NULL,
    line_no        integer NOT NULL,
    sku            text    NOT NULL,
    title          text    NOT NULL,
    quantity       integer NOT NULL,
    unit_price_fen bigint  NOT NULL,
    PRIMARY KEY (user_id, order_id, line_no),
    CONSTRAINT order_items_order_fkey FOREIGN KEY (user_id, order_id) REFERENCES orders (user_id, id) ON DELETE CASCADE,
    CONSTRAINT order_items_quantity_check CHECK (quantity > 0),
    CONSTRAINT order_items_price_check CHECK (unit_price_fen >= 0)
);
