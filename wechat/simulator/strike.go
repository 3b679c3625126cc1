package simulator

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// wait waits so many milliseconds, and reports whether the client did too.
func wait(ctx context.Context, ms int) bool {
	if ms <= 0 {
		return true
	}
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// answer is what stands in the place of the endpoint's, and whether anything does.
func (f *Fault) answer(header http.Header) (status int, content []byte, struck bool) {
	status = cmp.Or(f.Status, http.StatusOK)
	switch {
	case f.Body != nil:
		content = []byte(*f.Body)
	case f.ErrCode != 0:
		content = encode(refuse(f.ErrCode))
	case f.Status != 0:
		header.Set("Content-Type", "text/html")
		content = fmt.Appendf(nil, "<html><body><h1>%d %s</h1></body></html>", status, http.StatusText(status))
	default:
		return status, nil, false
	}
	return status, content, true
}

// send answers, or goes wrong on the way.
func (f *Fault) send(ctx context.Context, w http.ResponseWriter, status int, content []byte) {
	wire := http.NewResponseController(w)
	switch {
	case f.Cut || f.Stall:
		w.Header().Set("Content-Length", strconv.Itoa(len(content))) // promised, so net/http closes the connection behind less
		w.WriteHeader(status)
		w.Write(content[:len(content)/2])
		wire.Flush()
		if f.Stall {
			wait(ctx, int(maxDelay.Milliseconds()))
		}
	case f.TrickleMS > 0:
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		w.WriteHeader(status)
		for i := range content {
			if !wait(ctx, f.TrickleMS) {
				return
			}
			w.Write(content[i : i+1])
			wire.Flush()
		}
	default:
		w.WriteHeader(status)
		w.Write(content)
	}
}

// hangUp closes the connection without an answer; by a reset when abrupt.
func hangUp(w http.ResponseWriter, abrupt bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the way net/http documents, for HTTP/2 and for writers that cannot be hijacked
	}
	if tcp, ok := conn.(*net.TCPConn); ok && abrupt {
		tcp.SetLinger(0) // closed so, a connection is reset
	}
	conn.Close()
}
