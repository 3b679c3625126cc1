package avatar

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"io"
	"runtime"
	"sync"
	"time"

	"golang.org/x/image/riff"
	"golang.org/x/image/vp8"
	"golang.org/x/sync/semaphore"
)

const (
	maxSide  = 4096 // pixels of a picture
	sideMade = 512  // pixels of an avatar, at most
	quality  = 85

	// maxDecode is the most memory, in bytes, that one picture may take while it is decoded: two bytes for each pixel of
	// the largest. That is enough for any GIF and PNG, and for the JPEGs that cameras make, which have fewer samples of
	// colour than of light; one with all of them may have 11 megapixels, a progressive one 4. So little, because the
	// memory of the picture before may not have gone back to the system yet: both together stay under 64 MiB.
	maxDecode = 32 << 20
	// smallDecode is what several pictures may take each at the same time. One that takes more is decoded alone.
	smallDecode = 8 << 20

	patience = 10 * time.Second // for a turn
)

// Processor makes pictures into avatars. The zero Processor works; it is safe for concurrent use and must not be copied.
type Processor struct {
	// AtOnce is how many pictures are decoded at a time; defaults to 2. Each takes up to 12 MiB, or one alone up to
	// 36 MiB.
	AtOnce int

	once  sync.Once
	turns *semaphore.Weighted
}

// picture is a file whose header was found good.
type picture struct {
	memory      int64 // bytes that decoding takes, at most
	orientation int   // as EXIF numbers them; 0 for upright
	paint       func() (*square, error)
}

// Process makes a picture of at most MaxFile bytes into an avatar: decodes it, turns it upright, cuts out its middle
// square, shrinks that to at most 512 pixels a side, puts it on white and encodes it as JPEG. Size, format, dimensions
// and the memory it will take are judged by its header before a pixel is decoded. It fails with an InputError, with
// ErrBusy, or with ctx's error while it waits for its turn.
func (p *Processor) Process(ctx context.Context, file []byte) ([]byte, error) {
	if len(file) > MaxFile {
		return nil, ErrTooLarge
	}
	pic, err := open(file)
	if err != nil {
		return nil, err
	}
	if pic.memory > maxDecode {
		return nil, ErrTooComplex
	}
	release, err := p.turn(ctx, pic.memory)
	if err != nil {
		return nil, err
	}
	defer release()
	painted, err := pic.paint()
	if err != nil {
		return nil, broken(err)
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, painted.avatar(pic.orientation), &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("avatar: encode: %w", err)
	}
	return out.Bytes(), nil
}

// turn waits until so much memory may be taken. Before a picture takes it all, the garbage of others is collected, which
// would else still be there beside it; and afterwards its own, because the collector, having seen it alive, would let as
// much again pile up first.
func (p *Processor) turn(ctx context.Context, memory int64) (release func(), err error) {
	all := int64(cmp.Or(p.AtOnce, 2))
	p.once.Do(func() { p.turns = semaphore.NewWeighted(all) })
	if memory <= smallDecode {
		return reserve(ctx, p.turns, 1)
	}
	give, err := reserve(ctx, p.turns, all)
	if err != nil {
		return nil, err
	}
	runtime.GC()
	return func() { runtime.GC(); give() }, nil
}

// reserve takes n of s, waiting a while for it.
func reserve(ctx context.Context, s *semaphore.Weighted, n int64) (release func(), err error) {
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.Acquire(wait, n); err != nil {
		return nil, cmp.Or(ctx.Err(), ErrBusy)
	}
	return func() { s.Release(n) }, nil
}

// open reads the header of a picture in a format that is known by its first bytes, whatever its name or type say.
func open(file []byte) (*picture, error) {
	for _, format := range []struct {
		magic string // '?' for any byte
		open  func([]byte) (*picture, error)
	}{
		{"\xff\xd8\xff", openJPEG},
		{pngMagic, openPNG},
		{"GIF87a", openGIF},
		{"GIF89a", openGIF},
		{"RIFF????WEBP", openWebP},
	} {
		if matches(file, format.magic) {
			return format.open(file)
		}
	}
	return nil, ErrFormat
}

func matches(file []byte, magic string) bool {
	if len(file) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != file[i] {
			return false
		}
	}
	return true
}

// checkDimensions is asked of every header.
func checkDimensions(width, height int) error {
	if min(width, height) < 1 || max(width, height) > maxSide {
		return ErrDimensions
	}
	return nil
}

// openGIF takes the first frame of a GIF. An animated avatar stands still.
func openGIF(file []byte) (*picture, error) {
	config, err := gif.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, broken(err)
	}
	if err := checkDimensions(config.Width, config.Height); err != nil {
		return nil, err
	}
	memory := 2 * int64(config.Width) * int64(config.Height) // twice, because an interlaced frame is copied into order
	return &picture{memory: memory, paint: func() (*square, error) {
		frame, err := gif.Decode(bytes.NewReader(file))
		if err != nil {
			return nil, err
		}
		return paintImage(frame)
	}}, nil
}

// openWebP takes the plain, lossy kind of WebP, which is VP8. The lossless kind, of which transparency is made too, is
// refused: its Huffman tables alone can take 130 MB, of any size of picture, before the first pixel. Animations are
// refused because nobody decodes them.
func openWebP(file []byte) (*picture, error) {
	source := bytes.NewReader(file)
	_, chunks, err := riff.NewReader(source)
	for err == nil {
		var (
			id   riff.FourCC
			size uint32
			data io.Reader
		)
		id, size, data, err = chunks.Next()
		switch string(id[:]) {
		case "VP8L", "ALPH", "ANIM", "ANMF":
			return nil, ErrFormat
		case "VP8 ":
			if err == nil && int64(size) <= int64(source.Len()) { // the decoder takes memory for what is claimed
				return openVP8(data, int(size))
			}
			return nil, ErrBroken
		}
	}
	return nil, broken(err)
}

func openVP8(data io.Reader, size int) (*picture, error) {
	decoder := vp8.NewDecoder()
	decoder.Init(data, size)
	header, err := decoder.DecodeFrameHeader()
	if err != nil {
		return nil, broken(err)
	}
	if err := checkDimensions(header.Width, header.Height); err != nil {
		return nil, err
	}
	memory := int64(size) + 2*int64(header.Width+15)*int64(header.Height+15) // 1.5 bytes a pixel, and some for each 16 by 16
	return &picture{memory: memory, paint: func() (*square, error) {
		frame, err := decoder.DecodeFrame()
		if err != nil {
			return nil, err
		}
		return paintImage(frame)
	}}, nil
}

// broken says that a picture cannot be decoded, or that nobody expects it to be: some kinds of JPEG are of the lab.
func broken(err error) error {
	var unsupported jpeg.UnsupportedError
	if errors.As(err, &unsupported) {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return fmt.Errorf("%w: %w", ErrBroken, err)
}

// paintImage paints a picture that is decoded as a whole.
func paintImage(img image.Image) (*square, error) {
	bounds := img.Bounds()
	if bounds.Empty() {
		return nil, errors.New("an empty frame")
	}
	s := newSquare(bounds.Dx(), bounds.Dy())
	for y := range bounds.Dy() {
		s.addRow(img, image.Pt(bounds.Min.X, bounds.Min.Y+y), 0, y, 1)
	}
	return s, nil
}
