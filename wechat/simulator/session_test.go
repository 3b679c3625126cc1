package simulator

import "testing"

// The first is WeChat's own sample; the others are derived from it.
// (developers.weixin.qq.com/minigame/en/dev/tutorial/open-ability/http-signature.html)
func TestSignKnownAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ key, message, want string }{
		{"o0q0otL8aEzpcZL/FT9WsQ==", `{"foo":"bar"}`, "654571f79995b2ce1e149e53c0a33dc39c0a74090db514261454e8dbe432aa0b"},
		{"o0q0otL8aEzpcZL/FT9WsQ==", "", "46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128"},
		{"tiihtNczf5v6AKRyjwEUhQ==", "", "7154f9f8b4b76b92f541cbf0e37d48840fa06e5e42da92a6f80168a1516a4735"},
		{"PCOKT2NyJ4EWN4SJ03VxKQ==", "", "fc8509fbc9f213ffe8e89ddcd9216efb7b1177a283ffe4c3c5737a4b4485604e"},
	} {
		if got := sign(tt.message, tt.key); got != tt.want {
			t.Errorf("%q under %s: %s, want %s", tt.message, tt.key, got, tt.want)
		}
	}
}
