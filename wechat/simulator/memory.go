package simulator

// maxRemembered bounds what is kept of each kind, so that a simulator under load for days stays small.
const maxRemembered = 1 << 17

// memory is a map that forgets its oldest entries. The zero memory is empty.
type memory[V any] struct {
	values map[string]V
	order  []string // keys, oldest first
}

func (m *memory[V]) get(key string) (V, bool) {
	v, ok := m.values[key]
	return v, ok
}

// put keeps v under key. First it forgets, oldest first, what is stale and what is too much.
func (m *memory[V]) put(key string, v V, stale func(V) bool) {
	for len(m.order) > 0 && (len(m.order) >= maxRemembered || stale(m.values[m.order[0]])) {
		delete(m.values, m.order[0])
		m.order = m.order[1:]
	}
	if m.values == nil {
		m.values = map[string]V{}
	}
	if _, ok := m.values[key]; !ok {
		m.order = append(m.order, key)
	}
	m.values[key] = v
}
