package avatar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"wxpass/testlog"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a store and what is around it.
type world struct {
	*Store
	clock *clock
	log   *bytes.Buffer
}

func open1(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{clock: newClock(), log: new(bytes.Buffer)}
	o.Now, o.Log = w.clock.Now, testlog.Logger(w.log)
	store, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	w.Store = store
	return w
}

// s3Server is an S3 service with an empty bucket, avatars.
func s3Server(t *testing.T) *httptest.Server {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("avatars"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return server
}

func s3Options(endpoint, path string) Options {
	return Options{URL: "s3://avatars" + path + "?region=ap-guangzhou&endpoint=" + endpoint, AccessKeyID: "id", SecretAccessKey: "very-secret"}
}

// each runs a test on a store of each kind.
func each(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	t.Parallel()
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		test(t, open1(t, Options{URL: "file:" + filepath.Join(t.TempDir(), "new", "avatars")}))
	})
	t.Run("bucket", func(t *testing.T) {
		t.Parallel()
		test(t, open1(t, s3Options(s3Server(t).URL, "")))
	})
	t.Run("bucket with prefix", func(t *testing.T) {
		t.Parallel()
		test(t, open1(t, s3Options(s3Server(t).URL, "/some/prefix/")))
	})
}

// get asks the store over HTTP.
func (w *world) get(t *testing.T, method, name string, header http.Header) *http.Response {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET /avatars/{name}", w.Store)
	r := httptest.NewRequestWithContext(t.Context(), method, "/avatars/"+name, nil)
	for k, v := range header {
		r.Header[k] = v
	}
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, r)
	return answer.Result()
}

func (w *world) put(t *testing.T, data string) uuid.UUID {
	t.Helper()
	id, err := w.Put(t.Context(), []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestWhatIsPutIsServedUntilItIsDeleted(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.put(t, "a picture")
		other := w.put(t, "another")
		if id.Version() != 7 || id.Variant() != uuid.RFC4122 || !madeAt(id).Equal(w.clock.Now()) || id == other {
			t.Errorf("id = %v, made at %v", id, madeAt(id))
		}
		name := id.String() + ".jpg"
		tests := []struct {
			name, method string
			header       http.Header
			status       int
			body         string
		}{
			{"in full", "GET", nil, 200, "a picture"},
			{"head", "HEAD", nil, 200, ""},
			{"in part", "GET", http.Header{"Range": {"bytes=2-4"}}, 206, "pic"},
			{"beyond", "GET", http.Header{"Range": {"bytes=200-"}}, 416, ""},
			{"known already", "GET", http.Header{"If-None-Match": {`"` + id.String() + `"`}}, 304, ""},
			{"another known", "GET", http.Header{"If-None-Match": {`"` + other.String() + `"`}}, 200, "a picture"},
		}
		for _, tt := range tests {
			got := w.get(t, tt.method, name, tt.header)
			body, _ := io.ReadAll(got.Body)
			if got.StatusCode != tt.status || tt.status != 416 && string(body) != tt.body {
				t.Errorf("%s: %d %q, want %d %q", tt.name, got.StatusCode, body, tt.status, tt.body)
			}
			if got.StatusCode != 200 {
				continue
			}
			for k, want := range map[string]string{
				"Content-Type":            "image/jpeg",
				"Cache-Control":           "public, max-age=31536000, immutable",
				"X-Content-Type-Options":  "nosniff",
				"Content-Security-Policy": "default-src 'none'",
				"Content-Length":          "9",
			} {
				if got.Header.Get(k) != want {
					t.Errorf("%s: %s = %q, want %q", tt.name, k, got.Header.Get(k), want)
				}
			}
		}
		for range 2 { // the second time there is nothing to delete
			if err := w.Delete(t.Context(), id); err != nil {
				t.Errorf("Delete: %v", err)
			}
		}
		got := w.get(t, "GET", name, nil)
		if got.StatusCode != 404 || got.Header.Get("Cache-Control") != "" {
			t.Errorf("deleted: %d, Cache-Control %q", got.StatusCode, got.Header.Get("Cache-Control"))
		}
		if got := w.get(t, "GET", other.String()+".jpg", nil); got.StatusCode != 200 {
			t.Errorf("the other one: %d", got.StatusCode)
		}
	})
}

func TestOnlyNamesOfOursAreLookedUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := open1(t, Options{URL: "file:" + filepath.Join(dir, "avatars")})
	id := w.put(t, "a picture").String()
	for _, name := range []string{"secret.jpg", "avatars/" + id + ".png", "avatars/" + strings.ToUpper(id) + ".jpg", "avatars/.jpg", "avatars/" + id + ".jpg.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v4 := uuid.New().String()
	for _, name := range []string{
		"..%2fsecret.jpg", "%2e%2e%2fsecret.jpg", id, id + ".png", strings.ToUpper(id) + ".jpg", ".jpg", id + ".jpg.tmp", id + ".jpg%00",
		"{" + id + "}.jpg", "urn:uuid:" + id + ".jpg", strings.ReplaceAll(id, "-", "") + ".jpg", v4 + ".jpg", uuid.Nil.String() + ".jpg", newID(time.Time{}).String() + ".jpg",
	} {
		if got := w.get(t, "GET", name, nil); got.StatusCode != 404 {
			t.Errorf("%s: %d, want 404", name, got.StatusCode)
		}
	}
}

func TestAnOutageIsNotAbsence(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	w := open1(t, s3Options(server.URL, ""))
	if got := w.get(t, "GET", newID(w.clock.Now()).String()+".jpg", nil); got.StatusCode != 502 {
		t.Errorf("status = %d, want 502", got.StatusCode)
	}
	if log := w.log.String(); !strings.Contains(log, "cannot be read") || strings.Contains(log, "very-secret") {
		t.Errorf("log = %q", log)
	}
	if _, err := w.Put(t.Context(), []byte("x")); err == nil || strings.Contains(err.Error(), "very-secret") {
		t.Errorf("Put = %v", err)
	}
	if _, err := w.Collect(t.Context(), w.clock.Now(), nil); err == nil {
		t.Error("Collect finds nothing to complain of")
	}
}

func TestCollectDeletesWhatNobodyUsesAfterADay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		taken, orphan := w.put(t, "taken"), w.put(t, "orphan")
		w.clock.advance(23 * time.Hour)
		fresh := w.put(t, "fresh")
		w.clock.advance(2 * time.Hour)
		before := w.clock.Now().Add(-24 * time.Hour)
		var asked []uuid.UUID
		inUse := func(_ context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
			asked = append(asked, ids...)
			return []uuid.UUID{taken}, nil
		}
		deleted, err := w.Collect(t.Context(), before, inUse)
		if err != nil || deleted != 1 {
			t.Errorf("Collect = %d, %v, want 1", deleted, err)
		}
		want := []uuid.UUID{taken, orphan}
		slices.SortFunc(asked, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
		slices.SortFunc(want, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("asked about others (-want +got):\n%s", diff)
		}
		for id, status := range map[uuid.UUID]int{taken: 200, orphan: 404, fresh: 200} {
			if got := w.get(t, "GET", id.String()+".jpg", nil); got.StatusCode != status {
				t.Errorf("%v: %d, want %d", id, got.StatusCode, status)
			}
		}
		outage := errors.New("the database does not answer")
		deleted, err = w.Collect(t.Context(), w.clock.Now(), func(context.Context, []uuid.UUID) ([]uuid.UUID, error) { return nil, outage })
		if !errors.Is(err, outage) || deleted != 0 {
			t.Errorf("without an answer Collect = %d, %v", deleted, err)
		}
	})
}

func TestCollectGoesThroughMoreThanAPage(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const n = 2*page + 7
		for i := range n {
			w.put(t, fmt.Sprint(i))
		}
		w.clock.advance(48 * time.Hour)
		asked := 0
		deleted, err := w.Collect(t.Context(), w.clock.Now(), func(_ context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
			if asked += len(ids); len(ids) > page {
				t.Errorf("asked about %d at once", len(ids))
			}
			return ids[:1], nil
		})
		if err != nil || asked != n || n-deleted > 4 || n == deleted {
			t.Errorf("Collect = %d, %v; asked about %d of %d", deleted, err, asked, n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.Collect(ctx, w.clock.Now(), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled Collect = %v", err)
		}
	})
}

func TestAFolderHoldsWholeFilesOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "avatars")
	w := open1(t, Options{URL: "file:" + dir})
	id := w.put(t, "a picture")
	left := newID(w.clock.Now()).String() + ".jpg.tmp" // by a crash
	for _, name := range []string{left, "README", "x.jpg.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names := func() (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
			}
			names = append(names, e.Name())
		}
		return names
	}
	all := func(_ context.Context, ids []uuid.UUID) ([]uuid.UUID, error) { return ids, nil }
	for _, tt := range []struct {
		age  time.Duration
		want []string
	}{
		{time.Hour, []string{id.String() + ".jpg", left, "README", "x.jpg.tmp"}},
		{25 * time.Hour, []string{id.String() + ".jpg", "README", "x.jpg.tmp"}}, // what is not ours stays
	} {
		w.clock.advance(tt.age)
		if deleted, err := w.Collect(t.Context(), w.clock.Now().Add(-24*time.Hour), all); err != nil || deleted != 0 {
			t.Errorf("Collect = %d, %v", deleted, err)
		}
		got := names()
		slices.Sort(got)
		slices.Sort(tt.want)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("after %v (-want +got):\n%s", tt.age, diff)
		}
	}
	if err := os.RemoveAll(dir); err != nil { // the folder goes away under us
		t.Fatal(err)
	}
	if _, err := w.Put(t.Context(), []byte("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Put without a folder = %v", err)
	}
}

func TestOpenNamesTheFaultAndNoSecret(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	key := Options{AccessKeyID: "id", SecretAccessKey: "very-secret"}
	tests := []struct{ url, want string }{
		{"", "must begin with file: or s3://"},
		{"data/avatars", "must begin with"},
		{"https://bucket.example", "must begin with"},
		{"file:", "path of a folder"},
		{"file:" + file, "not a directory"},
		{"s3:bucket", "wants s3://BUCKET"},
		{"s3://id:very-secret@bucket", "without a key in it"},
		{"s3://bucket?endpoint=ftp://x", "endpoint is not"},
		{"s3://bucket?endpoint=http://x/path", "endpoint is not"},
		{"s3://bucket?endpoint=x.example", "endpoint is not"},
		{"s3://bucket?style=both", "style is neither"},
		{"s3://bucket?regoin=x", `no parameter "regoin"`},
	}
	for _, tt := range tests {
		o := key
		o.URL = tt.url
		if _, err := Open(o); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "very-secret") {
			t.Errorf("%s: %v, want %q", tt.url, err, tt.want)
		}
	}
	if _, err := Open(Options{URL: "s3://bucket"}); err == nil || !strings.Contains(err.Error(), "access key") {
		t.Errorf("without a key: %v", err)
	}
	for _, url := range []string{"s3://bucket", "s3://bucket/prefix?endpoint=https://cos.ap-guangzhou.myqcloud.com&region=ap-guangzhou&style=host", "s3://bucket?endpoint=http://127.0.0.1:9000&style=path"} {
		o := key
		o.URL = url
		if _, err := Open(o); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestWhereTheNameOfABucketStands(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"": "https://avatars.s3.dualstack.us-east-1.amazonaws.com/id.jpg",
		"?region=cn-north-1&endpoint=https://s3.cn-north-1.amazonaws.com.cn":             "https://avatars.s3.dualstack.cn-north-1.amazonaws.com.cn/id.jpg",
		"?region=ap-guangzhou&endpoint=https://cos.ap-guangzhou.myqcloud.com":            "https://avatars.cos.ap-guangzhou.myqcloud.com/id.jpg",
		"?region=oss-cn-hangzhou&endpoint=https://oss-cn-hangzhou.aliyuncs.com":          "https://avatars.oss-cn-hangzhou.aliyuncs.com/id.jpg",
		"?endpoint=http://127.0.0.1:9000":                                                "http://127.0.0.1:9000/avatars/id.jpg",
		"?region=ap-guangzhou&endpoint=https://cos.ap-guangzhou.myqcloud.com&style=path": "https://cos.ap-guangzhou.myqcloud.com/avatars/id.jpg",
		"?endpoint=https://s3.example&style=host":                                        "https://avatars.s3.example/id.jpg",
	} {
		w := open1(t, Options{URL: "s3://avatars" + query, AccessKeyID: "id", SecretAccessKey: "very-secret"})
		address, err := w.keep.(*s3).client.PresignedGetObject(t.Context(), "avatars", "id.jpg", time.Minute, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, _ := strings.Cut(address.String(), "?"); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}
