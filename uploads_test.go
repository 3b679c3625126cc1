package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

// upload sends a file as wx.uploadFile does, with a field behind it.
func (p *process) upload(t *testing.T, token string, file []byte) (status int, body string) {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", "avatar.jpg")
	if err != nil {
		t.Fatal(err)
	}
	part.Write(file)
	w.WriteField("user", "someone")
	w.Close()
	r, err := http.NewRequest(http.MethodPost, p.url+"/upload/avatar", &form)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestAnAvatarFromUploadToPicture(t *testing.T) {
	onEachEngine(t, func(t *testing.T, env []string) {
		p := start(t, t.TempDir(), nil, env...)
		token := p.mustLogin(t, "alice").Data.SilentLogin.Token
		var file bytes.Buffer
		picture := image.NewRGBA(image.Rect(0, 0, 900, 600))
		picture.Set(1, 1, color.White)
		if err := jpeg.Encode(&file, picture, nil); err != nil {
			t.Fatal(err)
		}

		if status, body := p.upload(t, "", file.Bytes()); status != http.StatusUnauthorized || !strings.Contains(body, `"reason":"MISSING"`) {
			t.Errorf("without a token: %d %s", status, body)
		}
		if status, body := p.upload(t, token, []byte("<html><script>alert(1)</script>")); status != http.StatusUnsupportedMediaType || !strings.Contains(body, `"code":"BAD_INPUT"`) {
			t.Errorf("HTML: %d %s", status, body)
		}
		status, body := p.upload(t, token, file.Bytes())
		var taken struct{ AvatarID, URL string }
		if err := json.Unmarshal([]byte(body), &taken); err != nil || status != http.StatusOK {
			t.Fatalf("upload: %d %s", status, body)
		}
		if !strings.HasPrefix(taken.URL, p.url+"/avatars/") {
			t.Errorf("url %s is not of the server that was called, %s", taken.URL, p.url)
		}
		got, err := p.do(http.DefaultClient, token, fmt.Sprintf(`mutation { authorizeProfile(input: {avatarId: %q, nickname: "x"}) { user { avatarUrl } } }`, taken.AvatarID))
		if err != nil || got.code() != "" {
			t.Fatalf("profile: %+v, %v", got, err)
		}
		stored := func() *http.Response {
			t.Helper()
			res, err := http.Get(taken.URL)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { res.Body.Close() })
			return res
		}
		res := stored()
		shown, err := jpeg.DecodeConfig(res.Body)
		if err != nil || shown.Width != 512 || shown.Height != 512 || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("the picture is %+v, %v, %v", shown, err, res.Header)
		}
		if got, err := p.do(http.DefaultClient, token, `mutation { deleteAccount(input: {confirm: "DELETE"}) { deleted } }`); err != nil || got.code() != "" {
			t.Fatalf("deletion: %+v, %v", got, err)
		}
		if res := stored(); res.StatusCode != http.StatusNotFound {
			t.Errorf("after the account was deleted its picture answers %d", res.StatusCode)
		}
	})
}

func TestProductsAreImportedAllOrNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(name, text string) (string, error) {
		t.Helper()
		writeFile(t, dir, name, text)
		output, err := wxpass(t, dir, []string{"products", "import", name}).CombinedOutput()
		return string(output), err
	}
	if output, err := wxpass(t, dir, []string{"migrate", "up"}).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if output, err := run("bad.csv", "sku,title,priceFen\na,A,1\nb,,2\nc,C,1.5\na,A,1\nd,D,-1\n"); err == nil ||
		!strings.Contains(output, "nothing was imported") || strings.Count(output, "\nline ") != 4 || !strings.Contains(output, "line 3: the title") {
		t.Errorf("a bad file: %v\n%s", err, output)
	}
	for name, text := range map[string]string{"no.txt": "x", "empty.json": "[]", "odd.json": `[{"sku":"a","price":1}]`, "head.csv": "a,b\n"} {
		if output, err := run(name, text); err == nil {
			t.Errorf("%s was taken: %s", name, output)
		}
	}
	for range 2 {
		if output, err := run("good.csv", "\ufeffsku,title,priceFen\na,\"Tea, green\",100\nb,B,0\n"); err != nil || !strings.Contains(output, "imported 2 products") {
			t.Errorf("a good file: %v\n%s", err, output)
		}
	}
	if output, err := run("good.json", `[{"sku":"a","title":"Tea","priceFen":200}]`); err != nil {
		t.Errorf("a good file: %v\n%s", err, output)
	}
	p := start(t, dir, nil, "ADDR=127.0.0.1:0")
	res, err := http.Post(p.url+"/graphql", "application/json", strings.NewReader(`{"query":"{ products { edges { node { sku title priceFen } } } }"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	want := `{"data":{"products":{"edges":[{"node":{"sku":"a","title":"Tea","priceFen":200}},{"node":{"sku":"b","title":"B","priceFen":0}}]}}}`
	if err != nil || string(text) != want {
		t.Errorf("products = %s, want %s", text, want)
	}
}
