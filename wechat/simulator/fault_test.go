package simulator_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wxpass/wechat/simulator"
)

// dial sends a login over a connection of its own, and returns it for its answer to be read as it comes.
func (w *world) dial(code string) net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	app := simulator.DefaultApp()
	fmt.Fprintf(conn, "GET /sns/jscode2session?grant_type=authorization_code&appid=%s&secret=%s&js_code=%s HTTP/1.1\r\nHost: x\r\n\r\n", app.ID, app.Secret, code)
	return conn
}

// read reads an answer from a connection.
func read(conn net.Conn) (text string, err error) {
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

func TestConnectionsBreak(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault simulator.Fault
		want  error
		text  string // part of the body
	}{
		{simulator.Fault{Drop: true}, io.ErrUnexpectedEOF, ""},
		{simulator.Fault{Reset: true}, syscall.ECONNRESET, ""},
		{simulator.Fault{Cut: true}, io.ErrUnexpectedEOF, `{"session_key":"`},
		{simulator.Fault{Cut: true, Status: 502}, io.ErrUnexpectedEOF, "<html>"},
	} {
		w := newWorld(t, &simulator.Server{})
		tt.fault.Endpoint = "jscode2session"
		w.Fault(tt.fault)
		text, err := read(w.dial("sim-alice"))
		if !errors.Is(err, tt.want) || !strings.HasPrefix(text, tt.text) || strings.HasSuffix(text, "}") {
			t.Errorf("%+v: %q, %v, want %v", tt.fault, text, err, tt.want)
		}
		if got := w.exchange("sim-alice"); got.str("openid") == "" {
			t.Errorf("after %+v: %s", tt.fault, got.text)
		}
	}
}

func TestAnAnswerStallsInItsMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	w.Fault(simulator.Fault{Endpoint: "*", Stall: true})
	conn := w.dial("sim-alice")
	conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	text, err := read(conn)
	if !strings.HasPrefix(text, `{"session_key"`) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %q, %v, want half an answer and a time-out", text, err)
	}
	if got := w.Traffic("jscode2session"); got != (simulator.Traffic{Calls: 1, InFlight: 1, Peak: 1}) {
		t.Errorf("traffic while it stalls: %+v", got)
	}
	conn.Close()
	w.eventuallyIdle()
}

// eventuallyIdle waits for the simulator to notice that its clients have gone.
func (w *world) eventuallyIdle() {
	w.t.Helper()
	for range 500 {
		if w.Traffic("jscode2session").InFlight == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Errorf("still in flight: %+v", w.Traffic("jscode2session"))
}

func TestAnAnswerTrickles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	w.Fault(simulator.Fault{Endpoint: "*", TrickleMS: 2})
	began := time.Now()
	got := w.exchange("sim-alice")
	if least := time.Duration(len(got.text)) * 2 * time.Millisecond; got.str("openid") == "" || time.Since(began) < least {
		t.Errorf("%s after %s, want a login after %s", got.text, time.Since(began), least)
	}
}

func TestAShareOfTheRequestsFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	w.Fault(simulator.Fault{Endpoint: "*", ErrCode: -1, Share: 0.5, Times: -1})
	failed := 0
	for range 200 {
		if w.exchange("sim-alice").num("errcode") == -1 {
			failed++
		}
	}
	if failed < 50 || failed > 150 { // off by seven standard deviations, once in 10^12 runs
		t.Errorf("%d of 200 requests failed, want about half", failed)
	}
}

func TestFaultsAreListedAndCleared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	for _, fault := range []string{`{"endpoint":"jscode2session","errcode":-1,"times":0}`, `{"endpoint":"*","reset":true,"times":3}`} {
		w.do("POST", "/simulator/control/faults", fault)
	}
	want := `{"faults":[{"endpoint":"jscode2session","errcode":-1,"times":-1},{"endpoint":"*","reset":true,"times":3}]}`
	if got := w.do("POST", "/simulator/control/faults/list", ""); got.text != want {
		t.Errorf("listed %s, want %s", got.text, want)
	}
	if got := w.do("POST", "/simulator/control/faults/clear", `{"endpoint":"jscode2session"}`); got.num("cleared") != 1 {
		t.Errorf("cleared %s, want 1", got.text)
	}
	if left := w.Faults(); len(left) != 1 || left[0].Endpoint != "*" {
		t.Errorf("left: %+v", left)
	}
	if got := w.do("POST", "/simulator/control/faults/clear", ""); got.num("cleared") != 1 {
		t.Errorf("cleared %s, want 1", got.text)
	}
	if got := w.do("POST", "/simulator/control/faults/list", "{}"); got.text != `{"faults":[]}` {
		t.Errorf("listed %s", got.text)
	}
	if got := w.exchange("sim-alice"); got.str("openid") == "" {
		t.Errorf("after all was cleared: %s", got.text)
	}
}

func TestCallsInFlightAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &simulator.Server{})
	w.Fault(simulator.Fault{Endpoint: "*", DelayMS: 300, Times: 5})
	var wait sync.WaitGroup
	for range 5 {
		wait.Go(func() { w.exchange("sim-alice") })
	}
	wait.Wait()
	w.exchange("sim-alice")
	w.eventuallyIdle()
	want := `{"endpoints":{"jscode2session":{"calls":6,"inFlight":0,"peak":5}}}`
	if got := w.do("POST", "/simulator/control/calls", ""); got.text != want {
		t.Errorf("counted %s, want %s", got.text, want)
	}
}
