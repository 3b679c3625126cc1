package main

import (
	"strings"
	"testing"

	"wxpass/keyring"
)

// TestTheStartNamesTheApps: an app id that is not the Mini Program's is the first thing to look for when WeChat refuses
// every code. The secret next to it is not shown.
func TestTheStartNamesTheApps(t *testing.T) {
	t.Parallel()
	production := []string{"APP_ENV=production", "ALLOW_SQLITE=true", "DATABASE_URL=sqlite:x.db", "MIGRATE_ON_START=true", "LOG_FORMAT=text",
		"TOKEN_KEYS=" + keyring.New("t").Encode(), "DATA_KEYS=" + keyring.New("d").Encode()}
	for name, env := range map[string][]string{"development": nil, "production": production} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, t.TempDir(), nil, append(env, "ADDR=127.0.0.1:0", "HTTPS_PROXY=http://127.0.0.1:1", // there is no WeChat here
				"LOG_LEVEL=info", "WECHAT_APPS=wx-one:planted-1,wx-two:planted-2")...)
			eventually(t, "wx-one", p.log.String)
			log := p.log.String()
			if !strings.Contains(log, "wx-one") || !strings.Contains(log, "wx-two") || strings.Contains(log, "planted") {
				t.Errorf("the start says:\n%s", log)
			}
		})
	}
}
