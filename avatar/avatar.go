// Package avatar takes an upload, makes it safe, and stores it.
//
// Whatever comes in, what is stored is a JPEG of our own making: a square of at most 512 pixels a side, upright, on
// white, and with nothing of the file but its pixels. No name, type or path from outside is ever used.
package avatar

import (
	"errors"
	"net/http"
)

// MaxFile is the size in bytes of the largest picture taken.
const MaxFile = 2 << 20

// InputError says that an upload cannot be taken, and why. It never repeats anything of the upload.
type InputError struct {
	Status  int    // of the HTTP answer
	Reason  string // for programs
	Message string // for a developer
}

func (e *InputError) Error() string { return "avatar: bad upload: " + e.Message }

// What can be wrong with an upload; compare with errors.Is.
var (
	ErrNotForm = &InputError{http.StatusUnsupportedMediaType, "NOT_A_FORM", "Send the picture as multipart/form-data, as wx.uploadFile does."}
	ErrForm    = &InputError{http.StatusBadRequest, "BAD_FORM", "The form is malformed or incomplete."}
	ErrNoFile  = &InputError{http.StatusBadRequest, "NO_FILE", "The form has no file."}
	ErrFiles   = &InputError{http.StatusBadRequest, "TOO_MANY_FILES", "Send one file at a time."}

	ErrTooLarge   = &InputError{http.StatusRequestEntityTooLarge, "TOO_LARGE", "The picture is larger than 2 MiB."}
	ErrFormat     = &InputError{http.StatusUnsupportedMediaType, "FORMAT", "The file is not a picture of a kind that is taken: JPEG, PNG, GIF, or lossy WebP without transparency."}
	ErrDimensions = &InputError{http.StatusBadRequest, "DIMENSIONS", "The picture must be 1 to 4096 pixels wide and high."}
	ErrTooComplex = &InputError{http.StatusBadRequest, "TOO_COMPLEX", "The picture takes too much memory to read: make it smaller, or save it as an ordinary JPEG."}
	ErrBroken     = &InputError{http.StatusBadRequest, "BROKEN", "The picture is damaged or incomplete."}
)

var (
	// ErrBusy says that too many uploads are under way; a little later there is room again.
	ErrBusy = errors.New("avatar: too many uploads at once")
	// ErrNotFound says that no such avatar is stored.
	ErrNotFound = errors.New("avatar: not found")
)
