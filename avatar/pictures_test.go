package avatar

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	stdpng "image/png"
	"io"
	"math/rand/v2"
	"testing"
)

// The smallest WebP pictures of each kind.
const (
	webpLossy    = "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"
	webpLossless = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="
	webpAlpha    = "UklGRkoAAABXRUJQVlA4WAoAAAAQAAAAAAAAAAAAQUxQSAwAAAARBxAR/Q9ERP8DAABWUDggGAAAABQBAJ0BKgEAAQAAAP4AAA3AAP7mtQAAAA=="
	webpAnimated = "UklGRlIAAABXRUJQVlA4WAoAAAASAAAAAAAAAAAAQU5JTQYAAAD/////AABBTk1GJgAAAAAAAAAAAAAAAAAAAGQAAABWUDhMDQAAAC8AAAAQBxAREYiI/gcA"
)

var (
	red    = color.NRGBA{0xff, 0, 0, 0xff}
	green  = color.NRGBA{0, 0xff, 0, 0xff}
	blue   = color.NRGBA{0, 0, 0xff, 0xff}
	yellow = color.NRGBA{0xff, 0xff, 0, 0xff}
)

func decode64(t testing.TB, text string) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func uniform(w, h int, c color.Color) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Rect, image.NewUniform(c), image.Point{}, draw.Src)
	return img
}

// quadrants is red at the top left, green at the top right, blue at the bottom left, yellow at the bottom right.
func quadrants(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i, c := range []color.Color{red, green, blue, yellow} {
		x, y := i%2*w/2, i/2*h/2
		draw.Draw(img, image.Rect(x, y, x+w/2, y+h/2), image.NewUniform(c), image.Point{}, draw.Src)
	}
	return img
}

func asJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func asPNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := (&stdpng.Encoder{CompressionLevel: stdpng.BestSpeed}).Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// asGIF has a frame for each colour.
func asGIF(t testing.TB, w, h int, frames ...color.Color) []byte {
	t.Helper()
	g := &gif.GIF{}
	for _, c := range frames {
		g.Image = append(g.Image, image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{c, color.Black}))
		g.Delay = append(g.Delay, 10)
	}
	var out bytes.Buffer
	if err := gif.EncodeAll(&out, g); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// segment is a JPEG segment.
func segment(marker byte, data ...byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(data)+2)), data...)
}

// exif is an APP1 segment with an orientation and the place where the picture was taken.
func exif(order binary.AppendByteOrder, orientation uint16) []byte {
	tiff := []byte("MM\x00\x2a")
	if order == binary.LittleEndian {
		tiff = []byte("II\x2a\x00")
	}
	entry := func(tag, kind uint16, count, value uint32) {
		tiff = order.AppendUint16(order.AppendUint16(tiff, tag), kind)
		tiff = order.AppendUint32(tiff, count)
		if kind == 3 {
			tiff = order.AppendUint16(order.AppendUint16(tiff, uint16(value)), 0)
		} else {
			tiff = order.AppendUint32(tiff, value)
		}
	}
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 3)
	entry(0x010f, 2, 10, 80)                          // Make
	entry(0x0112, 3, 1, uint32(orientation))          // Orientation
	entry(0x8825, 4, 1, 50)                           // GPS
	tiff = order.AppendUint32(tiff, 0)                // no second directory
	tiff = order.AppendUint16(tiff, 1)                // at 50
	entry(0x0002, 2, 12, 68)                          // latitude
	tiff = order.AppendUint32(tiff, 0)                //
	tiff = append(tiff, "39.9042N....camera-make"...) // at 68
	return segment(0xe1, append([]byte("Exif\x00\x00"), tiff...)...)
}

// insert puts segments right after a JPEG's first marker.
func insert(file []byte, segments ...[]byte) []byte {
	return bytes.Join([][]byte{file[:2], bytes.Join(segments, nil), file[2:]}, nil)
}

// flatJPEG is a JPEG of one colour, given by its components.
type flatJPEG struct {
	frame   byte // marker; defaults to sequential
	w, h    int
	values  []int
	factors byte // sampling of the first component, 0x11 by default
	scans   int  // passes; defaults to one
	adobe   int  // its transform plus one; 0 for no Adobe marker
	ids     string
}

func (f flatJPEG) encode() []byte {
	out := []byte{0xff, 0xd8}
	if f.adobe > 0 {
		out = append(out, segment(0xee, append([]byte("Adobe\x00\x64\x00\x00\x00\x00"), byte(f.adobe-1))...)...)
	}
	out = append(out, segment(0xdb, append([]byte{0}, bytes.Repeat([]byte{8}, 64)...)...)...) // all quanta 8: a DC of 1 is a step of 1
	if f.frame == 0 {
		f.frame = jpegSOF0
	}
	if f.factors == 0 {
		f.factors = 0x11
	}
	if f.ids == "" {
		f.ids = "\x01\x02\x03\x04"
	}
	frame := []byte{8, byte(f.h >> 8), byte(f.h), byte(f.w >> 8), byte(f.w), byte(len(f.values))}
	scan := []byte{byte(len(f.values))}
	for i := range f.values {
		factors := byte(0x11)
		if i == 0 {
			factors = f.factors
		}
		frame = append(frame, f.ids[i], factors, 0)
		scan = append(scan, f.ids[i], 0)
	}
	out = append(out, segment(f.frame, frame...)...)
	dc := append([]byte{0x00, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) // twelve codes of four bits
	out = append(out, segment(0xc4, dc...)...)
	out = append(out, segment(0xc4, append([]byte{0x10, 1}, make([]byte, 16)...)...)...) // the end of the block, one bit
	progressive := f.frame == jpegSOF2
	if progressive {
		scan = append(scan, 0, 0, 0)
	} else {
		scan = append(scan, 0, 63, 0)
	}
	for range max(f.scans, 1) {
		out = append(out, segment(jpegSOS, scan...)...)
		out = f.blocks(out, !progressive)
	}
	return append(out, 0xff, 0xd9)
}

func (f flatJPEG) blocks(out []byte, ac bool) []byte {
	var bits uint64
	var n int
	put := func(v uint64, width int) {
		bits, n = bits<<width|v, n+width
		for ; n >= 8; n -= 8 {
			b := byte(bits >> (n - 8))
			if out = append(out, b); b == 0xff {
				out = append(out, 0)
			}
		}
	}
	wide, high := int(f.factors>>4), int(f.factors&15)
	mcus := (f.w + 8*wide - 1) / (8 * wide) * ((f.h + 8*high - 1) / (8 * high))
	for mcu := range mcus {
		for c, value := range f.values {
			repeat := 1
			if c == 0 {
				repeat = wide * high
			}
			for b := range repeat {
				diff, size := 0, 0
				if mcu == 0 && b == 0 {
					diff = value - 128
				}
				for v := max(diff, -diff); v > 0; v >>= 1 {
					size++
				}
				put(uint64(size), 4)
				if diff < 0 {
					diff += 1<<size - 1
				}
				put(uint64(diff), size)
				if ac {
					put(0, 1)
				}
			}
		}
	}
	if n > 0 {
		put(1<<(8-n)-1, 8-n)
	}
	return out
}

// rawPNG is a PNG of any kind, from samples that are already packed and filtered.
type rawPNG struct {
	w, h       int
	depth      byte
	kind       byte
	interlaced byte
	chunks     [][]byte // between the header and the pixels
	pixels     io.Reader
	pieces     int // IDAT chunks
	level      int // of compression; the default is the fastest
}

func chunk(name string, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	out = append(append(out, name...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

func (p rawPNG) encode(t testing.TB) []byte {
	t.Helper()
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(p.w)), uint32(p.h))
	header = append(header, p.depth, p.kind, 0, 0, p.interlaced)
	out := append([]byte(pngMagic), chunk("IHDR", header)...)
	out = append(out, bytes.Join(p.chunks, nil)...)
	var packed bytes.Buffer
	z, err := zlib.NewWriterLevel(&packed, max(p.level, zlib.BestSpeed))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(z, p.pixels); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	size := packed.Len()/max(p.pieces, 1) + 1
	for packed.Len() > 0 {
		out = append(out, chunk("IDAT", packed.Next(size))...)
	}
	return append(out, chunk("IEND", nil)...)
}

// noise returns the rows of a picture of random samples, each with a random filter.
func noise(r *rand.Rand, p rawPNG) io.Reader {
	var out []byte
	header := &png{width: p.w, height: p.h, depth: int(p.depth), kind: p.kind, interlaced: p.interlaced == 1}
	if !header.knowsKind() {
		panic(fmt.Sprint("no such kind: ", p.kind, p.depth))
	}
	for _, pass := range header.passes() {
		width := (p.w - pass.x + pass.stepX - 1) / pass.stepX
		for y := pass.y; y < p.h && width > 0; y += pass.stepY {
			out = append(out, byte(r.IntN(5)))
			for range (width*header.samples*header.depth + 7) / 8 {
				out = append(out, byte(r.Uint32()))
			}
		}
	}
	return bytes.NewReader(out)
}

// zeros is n zero bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// noiseOfAnyKind returns one PNG of every kind, depth, order and transparency, by name.
func noiseOfAnyKind(t testing.TB, w, h int) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	r := rand.New(rand.NewPCG(1, 2))
	for kind, depths := range map[byte][]byte{0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}} {
		for _, depth := range depths {
			for interlaced := range byte(2) {
				for _, transparent := range []bool{false, true} {
					p := rawPNG{w: w, h: h, depth: depth, kind: kind, interlaced: interlaced, pieces: 1 + r.IntN(5)}
					if kind == pngPalette {
						colours := make([]byte, 3<<depth)
						for i := range colours {
							colours[i] = byte(r.Uint32())
						}
						p.chunks = append(p.chunks, chunk("PLTE", colours))
					}
					switch {
					case !transparent:
					case kind == pngPalette:
						p.chunks = append(p.chunks, chunk("tRNS", []byte{0, 128}))
					case kind == pngGray:
						p.chunks = append(p.chunks, chunk("tRNS", []byte{0, 1}))
					case kind == pngRGB:
						p.chunks = append(p.chunks, chunk("tRNS", []byte{0, 1, 0, 1, 0, 1}))
					default:
						continue
					}
					p.pixels = noise(r, p)
					all[fmt.Sprintf("kind %d depth %d interlaced %d transparent %t", kind, depth, interlaced, transparent)] = p.encode(t)
				}
			}
		}
	}
	return all
}
