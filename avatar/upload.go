package avatar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"
)

const (
	maxBody  = MaxFile + 64<<10 // bytes; the form around the picture takes some hundred
	maxParts = 32               // of a form; wx.uploadFile sends the picture and its formData
	maxHeld  = 3 * MaxFile      // bytes of bodies under way, in all
	maxDrain = 16 << 20         // bytes of a body too large that are read all the same, so that its sender hears why
)

// Upload is the http.Handler for POST of one picture, as wx.uploadFile sends it: multipart/form-data with the picture
// in any field and any place, among other fields, which are ignored, as are the name and the type of the file. It
// answers {"avatarId", "url"}. It must not be copied.
type Upload struct {
	Store     *Store // required
	Processor Processor

	// User returns who uploads. It is asked before any of the body is read. Required.
	User func(context.Context) (uuid.UUID, error)
	// Record notes whose a stored avatar is. When it fails the avatar is deleted. Required.
	Record func(ctx context.Context, user, avatar uuid.UUID) error
	// URL is where clients get an avatar. Required.
	URL func(ctx context.Context, avatar uuid.UUID) string
	// Refuse answers a request that failed: with an InputError, ErrBusy, an error of User or Record, or one of the
	// store. Required.
	Refuse func(http.ResponseWriter, *http.Request, error)

	once    sync.Once
	held    *semaphore.Weighted // how much of maxHeld bodies take
	buffers sync.Pool           // of *bytes.Buffer, used again so that refused pictures leave no garbage behind
}

func (u *Upload) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, err := u.take(w, r)
	if err != nil {
		u.Refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(struct { // an error here means the client has gone
		AvatarID uuid.UUID `json:"avatarId"`
		URL      string    `json:"url"`
	}{id, u.URL(r.Context(), id)})
}

// take is an upload from the first look to the last.
func (u *Upload) take(w http.ResponseWriter, r *http.Request) (uuid.UUID, error) {
	ctx := r.Context()
	user, err := u.User(ctx)
	if err != nil {
		return uuid.Nil, err
	}
	avatar, err := u.receive(w, r)
	if err != nil {
		return uuid.Nil, err
	}
	id, err := u.Store.Put(ctx, avatar)
	if err != nil {
		return uuid.Nil, err
	}
	if err := u.Record(ctx, user, id); err != nil {
		// should this fail as well, the avatar is nobody's and gets collected
		return uuid.Nil, errors.Join(err, u.Store.Delete(context.WithoutCancel(ctx), id))
	}
	return id, nil
}

// receive reads the picture of a form and makes an avatar of it. As many bytes as the body may have are reserved first:
// uploads at once take a bounded amount of memory, and the others wait.
func (u *Upload) receive(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, ErrNotForm
	}
	if r.ContentLength > maxBody {
		drain(r)
		return nil, ErrTooLarge
	}
	size := r.ContentLength
	if size < 0 { // it is not told
		size = maxBody
	}
	u.once.Do(func() { u.held = semaphore.NewWeighted(maxHeld) })
	release, err := reserve(r.Context(), u.held, min(size, MaxFile))
	if err != nil {
		return nil, err
	}
	defer release()
	file, ok := u.buffers.Get().(*bytes.Buffer)
	if !ok {
		file = new(bytes.Buffer)
	}
	defer u.buffers.Put(file)
	file.Reset()
	file.Grow(int(min(size, MaxFile)) + 1 + bytes.MinRead) // so that it grows no more
	form := multipart.NewReader(http.MaxBytesReader(w, r.Body, maxBody), params["boundary"])
	if err := readFile(file, form); err != nil {
		if errors.Is(err, ErrTooLarge) {
			drain(r)
		}
		return nil, err
	}
	return u.Processor.Process(r.Context(), file.Bytes())
}

// readFile reads the one file of a form.
func readFile(file *bytes.Buffer, form *multipart.Reader) error {
	found := false
	for parts := 0; ; parts++ {
		part, err := form.NextPart()
		switch {
		case err == io.EOF && !found:
			return ErrNoFile
		case err == io.EOF:
			return nil
		case err != nil:
			return formError(err)
		case parts == maxParts:
			return ErrForm
		case !isFile(part):
			continue
		case found:
			return ErrFiles
		}
		found = true
		switch n, err := file.ReadFrom(io.LimitReader(part, MaxFile+1)); {
		case err != nil:
			return formError(err)
		case n > MaxFile:
			return ErrTooLarge
		}
	}
}

// isFile tells a file from a field: it has a name, or a type that is not text.
func isFile(part *multipart.Part) bool {
	kind := part.Header.Get("Content-Type")
	return part.FileName() != "" || kind != "" && !strings.HasPrefix(kind, "text/")
}

// formError says what is wrong when a form cannot be read to its end.
func formError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return ErrTooLarge
	}
	return fmt.Errorf("%w: %w", ErrForm, err)
}

// drain reads on to the end of a body that is too large, if it is not all too large and its sender does not wait to be
// asked for it. Many a client reads no answer before it has sent everything.
func drain(r *http.Request) {
	if r.ContentLength <= maxDrain && r.Header.Get("Expect") == "" {
		io.CopyN(io.Discard, r.Body, maxDrain)
	}
}
