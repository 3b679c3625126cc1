package main

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"wxpass/db"
	"wxpass/wechat"
)

// health answers whether the process lives and whether it should be sent requests.
type health struct {
	store    *db.Store
	wechat   []*wechat.Client
	draining *atomic.Bool
}

type healthAnswer struct {
	Status string            `json:"status"`
	Parts  map[string]string `json:"parts,omitempty"`
}

func (h *health) alive(w http.ResponseWriter, _ *http.Request) {
	answerHealth(w, http.StatusOK, healthAnswer{Status: "alive"})
}

// ready names the state of each part: "ok", or in a few words what is wrong, never an error's own text. A WeChat that
// fails degrades the server and leaves it ready: those logged in need no WeChat, and no other instance has a better one.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	parts := map[string]string{"database": "ok", "migrations": "ok", "serving": "ok"}
	pending, err := h.store.Pending(ctx)
	switch {
	case err != nil:
		parts["database"], parts["migrations"] = "not answering", "unknown"
	case len(pending) > 0:
		parts["migrations"] = "pending"
	}
	if h.draining.Load() {
		parts["serving"] = "draining"
	}
	status, answer := http.StatusOK, healthAnswer{Status: "ready", Parts: parts}
	for _, state := range parts {
		if state != "ok" {
			status, answer.Status = http.StatusServiceUnavailable, "not ready"
		}
	}
	parts["wechat"] = h.wechatState()
	answerHealth(w, status, answer)
}

// wechatState is "ok", or in what way logins and phone numbers suffer.
func (h *health) wechatState() string {
	state := "ok"
	for _, client := range h.wechat {
		for _, endpoint := range client.Health() {
			switch {
			case endpoint.Refusal != nil: // the worse of the two: it does not pass by itself
				return "degraded: WeChat refuses this server's app id, secret or address; the log says what to fix"
			case endpoint.Resting:
				state = "degraded: WeChat is not answering; those logged in notice nothing"
			}
		}
	}
	return state
}

func answerHealth(w http.ResponseWriter, status int, answer healthAnswer) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer) // fails only when the client has gone
}
