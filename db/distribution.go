package db

// DistributedTable says how Citus stores a table: by which column, and together with which others.
type DistributedTable struct {
	Table  string
	Column string // empty for a reference table, copied to every node
	Group  string // tables of one group are stored together, so foreign keys among them hold; empty for none
}

// Distribution lists every table in the order Citus needs, parents first. The lint that holds the schema to it on plain
// PostgreSQL reads this list too.
func Distribution() []DistributedTable {
	return []DistributedTable{
		{Table: "users", Column: "id", Group: "user"},
		{Table: "sessions", Column: "user_id", Group: "user"},
		{Table: "wechat_session_keys", Column: "user_id", Group: "user"},
		{Table: "auth_events", Column: "user_id", Group: "user"},
		{Table: "avatars", Column: "user_id", Group: "user"},
		{Table: "orders", Column: "user_id", Group: "user"},
		{Table: "order_items", Column: "user_id", Group: "user"},
		{Table: "order_numbers", Column: "order_no"},
		{Table: "user_identities", Column: "subject"},
		{Table: "wechat_access_tokens", Column: "app_id"},
		{Table: "products"},
	}
}
