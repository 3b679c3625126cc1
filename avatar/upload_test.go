package avatar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
)

var errNobody = errors.New("nobody is logged in")

// route is the upload route in a server, with what it needs.
type route struct {
	*world
	upload *Upload
	server *httptest.Server

	mu       sync.Mutex
	recorded map[uuid.UUID]uuid.UUID // avatar to user
	full     error                   // what Record answers
}

var user = uuid.MustParse("0198a8b0-0000-7000-8000-000000000001")

func newRoute(t testing.TB, w *world) *route {
	t.Helper()
	r := &route{world: w, recorded: map[uuid.UUID]uuid.UUID{}}
	r.upload = &Upload{
		Store: w.Store,
		User: func(ctx context.Context) (uuid.UUID, error) {
			if ctx.Value(http.LocalAddrContextKey) == nil {
				return uuid.Nil, errors.New("not the context of the request")
			}
			if token, _ := ctx.Value(tokenKey{}).(string); token != "good" {
				return uuid.Nil, errNobody
			}
			return user, nil
		},
		Record: func(_ context.Context, user, avatar uuid.UUID) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.recorded[avatar] = user
			return r.full
		},
		URL: func(_ context.Context, avatar uuid.UUID) string {
			return "https://here.example/avatars/" + avatar.String() + ".jpg"
		},
		Refuse: refuse,
	}
	mux := http.NewServeMux()
	mux.Handle("POST /upload/avatar", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		token := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
		r.upload.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), tokenKey{}, token)))
	}))
	mux.Handle("GET /avatars/{name}", w.Store)
	r.server = httptest.NewServer(mux)
	t.Cleanup(r.server.Close)
	return r
}

type tokenKey struct{}

// refuse answers as a server would.
func refuse(w http.ResponseWriter, _ *http.Request, err error) {
	var input *InputError
	switch {
	case errors.As(err, &input):
		http.Error(w, input.Reason, input.Status)
	case errors.Is(err, errNobody):
		http.Error(w, "UNAUTHENTICATED", http.StatusUnauthorized)
	case errors.Is(err, ErrBusy):
		http.Error(w, "BUSY", http.StatusServiceUnavailable)
	default:
		http.Error(w, "INTERNAL", http.StatusInternalServerError)
	}
}

// part is a part of a form.
type part struct {
	disposition, kind string
	data              []byte
}

func form(t testing.TB, parts ...part) (body []byte, contentType string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for _, p := range parts {
		header := textproto.MIMEHeader{"Content-Disposition": {p.disposition}}
		if p.kind != "" {
			header.Set("Content-Type", p.kind)
		}
		to, err := w.CreatePart(header)
		if err != nil {
			t.Fatal(err)
		}
		to.Write(p.data)
	}
	w.Close()
	return out.Bytes(), w.FormDataContentType()
}

func file(data []byte) part {
	return part{`form-data; name="file"; filename="photo.jpg"`, "image/jpeg", data}
}

func field(name, value string) part {
	return part{`form-data; name="` + name + `"`, "", []byte(value)}
}

// post sends a body over a real connection.
func (r *route) post(t testing.TB, token, contentType string, body io.Reader) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), "POST", r.server.URL+"/upload/avatar", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Authorization", "Bearer "+token)
	answer, err := r.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSpace(string(data))
}

func folderWorld(t *testing.T) *world {
	return open1(t, Options{URL: "file:" + filepath.Join(t.TempDir(), "avatars")})
}

// stored counts the files there are.
func (r *route) stored(t *testing.T) (n int) {
	t.Helper()
	if err := r.keep.walk(t.Context(), func(names []string) error { n += len(names); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAnUploadBecomesAnAvatar(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := newRoute(t, w)
		picture := asJPEG(t, quadrants(600, 600))
		text, other := field("note", "{}"), part{`form-data; name="json"`, "text/plain; charset=utf-8", []byte("{}")}
		for name, parts := range map[string][]part{
			"alone":                {file(picture)},
			"first":                {file(picture), text, other},
			"last":                 {text, other, file(picture)},
			"between":              {text, file(picture), other},
			"odd name":             {{`form-data; name="avatar"; filename="../../etc/passwd"`, "text/html", picture}},
			"Chinese name":         {{`form-data; name="文件"; filename="头像.svg"`, "application/x-php", picture}},
			"name that is no name": {{`form-data; name="x"; filename="a"b"`, "image/jpeg", picture}},
			"no name":              {{`form-data; name="file"`, "application/octet-stream", picture}},
			"no type":              {{`form-data; name="file"; filename="x"`, "", picture}},
		} {
			body, contentType := form(t, parts...)
			for encoding, reader := range map[string]io.Reader{"length": bytes.NewReader(body), "chunked": io.MultiReader(bytes.NewReader(body))} {
				status, text := r.post(t, "good", contentType, reader)
				var got struct {
					AvatarID uuid.UUID `json:"avatarId"`
					URL      string    `json:"url"`
				}
				if err := json.Unmarshal([]byte(text), &got); status != 200 || err != nil {
					t.Errorf("%s, %s: %d %s", name, encoding, status, text)
					continue
				}
				if got.URL != "https://here.example/avatars/"+got.AvatarID.String()+".jpg" || r.recorded[got.AvatarID] != user {
					t.Errorf("%s: %s, recorded for %v", name, text, r.recorded[got.AvatarID])
				}
				served := w.get(t, "GET", got.AvatarID.String()+".jpg", nil)
				data, _ := io.ReadAll(served.Body)
				checkAvatar(t, data)
			}
		}
	})
}

func TestTheRouteUnderAbuse(t *testing.T) {
	t.Parallel()
	r := newRoute(t, folderWorld(t))
	good := asJPEG(t, quadrants(64, 64))
	many := make([]part, 40)
	for i := range many {
		many[i] = field(fmt.Sprint(i), "x")
	}
	big := func(n int) []byte { return append(bytes.Clone(good), make([]byte, n-len(good))...) }
	tests := []struct {
		name  string
		parts []part
		want  int
		text  string
	}{
		{"3 MiB", []part{file(big(3 << 20))}, 413, "TOO_LARGE"},
		{"just too large, in a body that is not", []part{file(big(MaxFile + 1))}, 413, "TOO_LARGE"},
		{"3 MiB of fields", []part{field("x", string(make([]byte, 3<<20))), file(good)}, 413, "TOO_LARGE"},
		{"the largest", []part{file(big(MaxFile))}, 200, ""},
		{"PNG of 20,000 by 20,000", []part{file(bomb(t))}, 400, "DIMENSIONS"},
		{"SVG", []part{file([]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`))}, 415, "FORMAT"},
		{"HTML named .jpg", []part{file([]byte("<!doctype html><script>alert(1)</script>"))}, 415, "FORMAT"},
		{"JPEG cut short", []part{file(good[:len(good)-100])}, 400, "BROKEN"},
		{"GIF", []part{file(asGIF(t, 32, 32, red, blue))}, 200, ""},
		{"polyglot", []part{file(append(bytes.Clone(good), "PK\x03\x04<?php"...))}, 200, ""},
		{"4097 pixels", []part{file(asPNG(t, uniform(4097, 1, red)))}, 400, "DIMENSIONS"},
		{"two files", []part{file(good), file(good)}, 400, "TOO_MANY_FILES"},
		{"two files, one without a name", []part{file(good), {`form-data; name="b"`, "image/png", good}}, 400, "TOO_MANY_FILES"},
		{"no file", []part{field("file", "wxfile://tmp/1.jpg")}, 400, "NO_FILE"},
		{"empty file", []part{file(nil)}, 415, "FORMAT"},
		{"nothing", nil, 400, "NO_FILE"},
		{"forty fields", append(many, file(good)), 400, "BAD_FORM"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body, contentType := form(t, tt.parts...)
			for encoding, reader := range map[string]io.Reader{"length": bytes.NewReader(body), "chunked": io.MultiReader(bytes.NewReader(body))} {
				status, text := r.post(t, "good", contentType, reader)
				if status != tt.want || tt.text != "" && text != tt.text {
					t.Errorf("%s: %d %s, want %d %s", encoding, status, text, tt.want, tt.text)
				}
				if strings.Contains(text, "photo.jpg") || strings.Contains(text, "alert") {
					t.Errorf("the answer repeats the request: %s", text)
				}
			}
		})
	}
}

func TestOnlyFormsAreRead(t *testing.T) {
	t.Parallel()
	r := newRoute(t, folderWorld(t))
	good := asJPEG(t, quadrants(8, 8))
	body, contentType := form(t, file(good))
	tests := []struct {
		name, contentType string
		body              []byte
		status            int
		text              string
	}{
		{"no type", "", body, 415, "NOT_A_FORM"},
		{"JSON", "application/json", []byte("{}"), 415, "NOT_A_FORM"},
		{"the picture itself", "image/jpeg", good, 415, "NOT_A_FORM"},
		{"urlencoded", "application/x-www-form-urlencoded", []byte("file=x"), 415, "NOT_A_FORM"},
		{"no boundary", "multipart/form-data", body, 415, "NOT_A_FORM"},
		{"mixed", strings.Replace(contentType, "form-data", "mixed", 1), body, 415, "NOT_A_FORM"},
		{"another boundary", "multipart/form-data; boundary=other", body, 400, "BAD_FORM"},
		{"cut in the file", contentType, body[:len(body)/2], 400, "BAD_FORM"},
		{"cut in the boundary", contentType, body[:len(body)-10], 400, "BAD_FORM"},
		{"empty", contentType, nil, 400, "BAD_FORM"},
	}
	for _, tt := range tests {
		if status, text := r.post(t, "good", tt.contentType, bytes.NewReader(tt.body)); status != tt.status || text != tt.text {
			t.Errorf("%s: %d %s, want %d %s", tt.name, status, text, tt.status, tt.text)
		}
	}
	if n := r.stored(t); n != 0 {
		t.Errorf("%d avatars are stored", n)
	}
}

func TestTheCallerIsAskedBeforeTheBodyIsRead(t *testing.T) {
	t.Parallel()
	r := newRoute(t, folderWorld(t))
	body := &countingBody{}
	req := httptest.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, "here"), "POST", "/upload/avatar", body)
	req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	answer := httptest.NewRecorder()
	r.upload.ServeHTTP(answer, req)
	if answer.Code != 401 || body.reads != 0 {
		t.Errorf("status = %d after %d reads, want 401 after none", answer.Code, body.reads)
	}
	form, contentType := form(t, file(asJPEG(t, quadrants(8, 8))))
	if status, _ := r.post(t, "bad", contentType, bytes.NewReader(form)); status != 401 {
		t.Errorf("status = %d, want 401", status)
	}
}

type countingBody struct{ reads int }

func (b *countingBody) Read([]byte) (int, error) {
	b.reads++
	return 0, io.ErrUnexpectedEOF
}

func TestAnAvatarThatIsNotRecordedIsDeleted(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := newRoute(t, w)
		r.full = &InputError{Status: 400, Reason: "FULL"}
		body, contentType := form(t, file(asJPEG(t, quadrants(8, 8))))
		if status, text := r.post(t, "good", contentType, bytes.NewReader(body)); status != 400 || text != "FULL" {
			t.Errorf("%d %s", status, text)
		}
		if n := r.stored(t); n != 0 || len(r.recorded) != 1 {
			t.Errorf("%d avatars are stored, %d recorded", n, len(r.recorded))
		}
	})
}

func TestUploadsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRoute(t, folderWorld(t))
	// small pictures: on a slow machine the last of twenty large ones would wait its patience out
	body, contentType := form(t, file(asJPEG(t, quadrants(64, 64))))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if status, text := r.post(t, "good", contentType, bytes.NewReader(body)); status != 200 {
				t.Errorf("%d %s", status, text)
			}
		})
	}
	wg.Wait()
	if n := r.stored(t); n != 20 {
		t.Errorf("%d avatars are stored, want 20", n)
	}
}
