package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
)

const simulatorBanner = `
  The WeChat simulator is listening; point WECHAT_BASE_URL at it.

    base URL        http://%[1]s
    app id          %[2]s
    a login code    curl -s http://%[1]s/simulator/control/login-code -d '{"openid":"o-alice"}'
    always works    the login code sim-alice logs in as alice
`

const developmentBanner = `
  wxpass is listening, in development mode.

    GraphiQL     %[1]s/
    the API      %[1]s/graphql
    the schema   %[1]s/schema.graphqls
    the data     %[2]s
    WeChat       %[3]s

  Log in from another terminal:

    %[4]s

`

const loginCurl = `curl -s %s/graphql -H 'content-type: application/json' -d '{"query":"mutation { silentLogin(input: {code: \"%s\"}) { token expiresAt isNewUser user { id displayName } } }"}'`

// reachable is how this machine itself reaches an address listened on.
func reachable(address net.Addr) string {
	if tcp, ok := address.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return address.String()
}

// announce says where to click, and one command that logs in; in production, one line in the log.
func announce(w io.Writer, s *settings, address net.Addr, log *slog.Logger) {
	var apps []string
	for _, a := range s.Apps {
		apps = append(apps, a.ID)
	}
	if s.Production {
		log.Info("listening", "address", address.String(), "apps", apps)
		return
	}
	url := "http://" + reachable(address)
	world, code := "played by the simulator: any sim-NAME is a login code", "sim-alice"
	if !s.Simulate {
		world = "called at " + s.WechatBaseURL
		if s.WechatBaseURL == "" {
			world, code = "the real one", "CODE-FROM-wx.login"
		}
		world += " for " + strings.Join(apps, ", ")
	}
	if tcp, ok := address.(*net.TCPAddr); ok && s.Simulate && !tcp.IP.IsLoopback() {
		log.Warn("the simulator lets anybody be anybody, and this address is open to others: set WECHAT_APPS, or listen on 127.0.0.1", "address", address.String())
	}
	database := s.DatabaseURL
	if !strings.HasPrefix(database, "sqlite:") { // may hold a password
		database = "PostgreSQL, by DATABASE_URL"
	}
	fmt.Fprintf(w, developmentBanner, url, database, world, fmt.Sprintf(loginCurl, url, code))
}
