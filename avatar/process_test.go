package avatar

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	stdpng "image/png"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// process makes an avatar of file and checks what is true of every avatar.
func process(t *testing.T, file []byte) image.Image {
	t.Helper()
	out, err := new(Processor).Process(t.Context(), file)
	if err != nil {
		t.Fatalf("Process: %v", err)
	}
	return checkAvatar(t, out)
}

// checkAvatar checks that data is a square JPEG of at most 512 pixels a side and holds nothing but that.
func checkAvatar(t testing.TB, data []byte) image.Image {
	t.Helper()
	in := bytes.NewReader(data)
	img, err := jpeg.Decode(in)
	if err != nil {
		t.Fatalf("an avatar does not decode: %v", err)
	}
	if b := img.Bounds(); b.Dx() != b.Dy() || b.Dx() > 512 || b.Dx() < 1 {
		t.Errorf("an avatar is %v", b)
	}
	if !bytes.HasSuffix(data, []byte{0xff, 0xd9}) {
		t.Error("an avatar has a tail")
	}
	for rest := data[2:]; rest[1] != jpegSOS; {
		if m := rest[1]; m >= 0xe0 && m <= 0xef || m == 0xfe {
			t.Errorf("an avatar has a segment %#x", m)
		}
		rest = rest[2+binary.BigEndian.Uint16(rest[2:]):]
	}
	return img
}

// near reports whether a JPEG's pixel is about c.
func near(img image.Image, x, y int, c color.Color) bool {
	got, want := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA), color.NRGBAModel.Convert(c).(color.NRGBA)
	for _, d := range []int{int(got.R) - int(want.R), int(got.G) - int(want.G), int(got.B) - int(want.B)} {
		if max(d, -d) > 24 {
			return false
		}
	}
	return true
}

func TestWhatIsNoPictureIsRefused(t *testing.T) {
	t.Parallel()
	good := asJPEG(t, quadrants(64, 64))
	goodPNG := asPNG(t, quadrants(64, 64))
	damaged := bytes.Clone(goodPNG)
	damaged[60] ^= 1
	tests := []struct {
		name string
		file []byte
		want error
	}{
		{"nothing", nil, ErrFormat},
		{"3 MiB", append(bytes.Clone(good), make([]byte, 3<<20)...), ErrTooLarge},
		{"one byte too many", append(bytes.Clone(good), make([]byte, MaxFile+1-len(good))...), ErrTooLarge},
		{"SVG", []byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), ErrFormat},
		{"HTML", []byte("<!doctype html><script>alert(1)</script>"), ErrFormat},
		{"BMP", append([]byte("BM"), make([]byte, 100)...), ErrFormat},
		{"HEIC", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), ErrFormat},
		{"a picture behind a blank", append([]byte(" "), good...), ErrFormat},
		{"the magic of a JPEG alone", []byte("\xff\xd8\xff"), ErrBroken},
		{"the magic of a PNG alone", []byte(pngMagic), ErrBroken},
		{"the magic of a GIF alone", []byte("GIF89a"), ErrBroken},
		{"the magic of a WebP alone", []byte("RIFF\x04\x00\x00\x00WEBP"), ErrBroken},
		{"HTML with the magic of a JPEG", []byte("\xff\xd8\xff<html><script>alert(1)</script></html>"), ErrBroken},
		{"JPEG cut in half", good[:len(good)/2], ErrBroken},
		{"JPEG without its end", good[:len(good)-2], ErrBroken},
		{"PNG cut in half", goodPNG[:len(goodPNG)/2], ErrBroken},
		{"PNG with a wrong bit", damaged, ErrBroken},
		{"WebP cut", decode64(t, webpLossy)[:40], ErrBroken},
		{"WebP that claims to be larger than it is", claim(decode64(t, webpLossy)), ErrBroken},
		{"lossless WebP", decode64(t, webpLossless), ErrFormat},
		{"WebP with transparency", decode64(t, webpAlpha), ErrFormat},
		{"animated WebP", decode64(t, webpAnimated), ErrFormat},
		{"arithmetic JPEG", flatJPEG{w: 8, h: 8, values: []int{1}, frame: 0xc9}.encode(), ErrFormat},
		{"JPEG of two components", flatJPEG{w: 8, h: 8, values: []int{1, 1}}.encode(), ErrFormat},
		{"JPEG of four components that nobody explains", flatJPEG{w: 8, h: 8, values: []int{1, 1, 1, 1}}.encode(), ErrFormat},
		{"JPEG 4097 wide", flatJPEG{w: 4097, h: 1, values: []int{128}}.encode(), ErrDimensions},
		{"JPEG 4097 high", flatJPEG{w: 1, h: 4097, values: []int{128}}.encode(), ErrDimensions},
		{"PNG 4097 wide", rawPNG{w: 4097, h: 1, depth: 8, pixels: zeros(4098)}.encode(t), ErrDimensions},
		{"PNG 4097 high", rawPNG{w: 1, h: 4097, depth: 8, pixels: zeros(2 * 4097)}.encode(t), ErrDimensions},
		{"PNG without width", rawPNG{w: 0, h: 1, depth: 8, pixels: zeros(1)}.encode(t), ErrDimensions},
		{"GIF 4097 wide", asGIF(t, 4097, 1, red), ErrDimensions},
		{"WebP 4097 wide", wide(decode64(t, webpLossy)), ErrDimensions},
		{"PNG of 20,000 by 20,000", bomb(t), ErrDimensions},
		{"PNG that unpacks to more than its pixels", rawPNG{w: 4096, h: 4096, depth: 1, pixels: zeros(1 << 26)}.encode(t), ErrBroken},
		{"PNG that unpacks to less", rawPNG{w: 4096, h: 4096, depth: 8, pixels: zeros(4097 * 4095)}.encode(t), ErrBroken},
		{"JPEG of 100 passes", flatJPEG{w: 8, h: 8, values: []int{128, 128, 128}, frame: jpegSOF2, scans: 100}.encode(), ErrTooComplex},
		{"progressive JPEG of 4096 by 4096", flatJPEG{w: 4096, h: 4096, values: []int{128, 128, 128}, frame: jpegSOF2}.encode(), ErrTooComplex},
		{"JPEG of 4096 by 4096 with all colours", flatJPEG{w: 4096, h: 4096, values: []int{1, 1, 1}}.encode(), ErrTooComplex},
		{"CMYK JPEG of 4096 by 4096", flatJPEG{w: 4096, h: 4096, values: []int{1, 1, 1, 1}, adobe: 1}.encode(), ErrTooComplex},
		{"RGB JPEG of 4096 by 4096", flatJPEG{w: 4096, h: 4096, values: []int{1, 1, 1}, ids: "RGB"}.encode(), ErrTooComplex},
		{"JPEG of 4096 by 4096 that Adobe's marker makes RGB after the fact", lateAdobe(flatJPEG{w: 4096, h: 4096, values: []int{1, 1, 1}}.encode()), ErrTooComplex},
		{"GIF of 4096 by 4096 without pixels", []byte("GIF89a\x00\x10\x00\x10\x00\x00\x00,\x00\x00\x00\x00\x00\x10\x00\x10\x00\x02\x00;"), ErrBroken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := new(Processor).Process(t.Context(), tt.file)
			if !errors.Is(err, tt.want) || out != nil {
				t.Fatalf("error = %v, want %v", err, tt.want)
			}
			var input *InputError
			if !errors.As(err, &input) || input.Status < 400 || input.Message == "" || input.Reason == "" || strings.Contains(err.Error(), "alert") {
				t.Errorf("error = %#v", err)
			}
		})
	}
}

// bomb is a PNG of some kilobytes that unpacks to 50 MB.
func bomb(t testing.TB) []byte {
	t.Helper()
	file := rawPNG{w: 20000, h: 20000, depth: 1, pixels: zeros(20000 * 2501), level: zlib.BestCompression}.encode(t)
	if len(file) > 64<<10 {
		t.Errorf("the bomb has %d bytes", len(file))
	}
	return file
}

// claim makes a WebP say that its pixels are 100 MB.
func claim(file []byte) []byte {
	binary.LittleEndian.PutUint32(file[4:], 101<<20)
	binary.LittleEndian.PutUint32(file[16:], 100<<20)
	return file
}

// wide makes a WebP say that it is 4097 pixels wide.
func wide(file []byte) []byte {
	binary.LittleEndian.PutUint16(file[26:], 4097)
	return file
}

// lateAdobe puts Adobe's marker behind the pixels.
func lateAdobe(file []byte) []byte {
	file = append(file[:len(file)-2:len(file)-2], segment(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x00")...)...)
	return append(file, 0xff, 0xd9)
}

func TestEveryFormatBecomesAnAvatar(t *testing.T) {
	t.Parallel()
	deep := image.NewNRGBA64(image.Rect(0, 0, 32, 32))
	for i := range deep.Pix {
		deep.Pix[i] = []byte{0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff}[i%8]
	}
	tests := []struct {
		name string
		file []byte
		size int
		want color.Color // of the middle
	}{
		{"JPEG", asJPEG(t, uniform(600, 600, red)), 512, red},
		{"grey JPEG", flatJPEG{w: 20, h: 20, values: []int{200}}.encode(), 20, color.Gray{200}},
		{"progressive JPEG", flatJPEG{w: 20, h: 20, values: []int{200, 128, 128}, frame: jpegSOF2}.encode(), 20, color.Gray{200}},
		{"CMYK JPEG", flatJPEG{w: 20, h: 20, values: []int{1, 254, 254, 254}, adobe: 1}.encode(), 20, color.RGBA{0, 0xff, 0xff, 0xff}},
		{"RGB JPEG", flatJPEG{w: 20, h: 20, values: []int{254, 1, 1}, ids: "RGB"}.encode(), 20, red},
		{"JPEG with a picture behind it", append(asJPEG(t, uniform(30, 30, red)), asJPEG(t, uniform(30, 30, blue))...), 30, red},
		{"PNG", asPNG(t, uniform(30, 30, green)), 30, green},
		{"PNG of 16 bits", asPNG(t, deep), 32, red},
		{"transparent PNG", asPNG(t, image.NewNRGBA(image.Rect(0, 0, 9, 9))), 9, color.White},
		{"half transparent PNG", asPNG(t, uniform(9, 9, color.NRGBA{0xff, 0, 0, 0x80})), 9, color.NRGBA{0xff, 0x7f, 0x7f, 0xff}},
		{"GIF", asGIF(t, 30, 30, blue), 30, blue},
		{"animated GIF", asGIF(t, 30, 30, red, green, blue), 30, red},
		{"WebP", decode64(t, webpLossy), 1, nil},
		{"one pixel", asPNG(t, uniform(1, 1, blue)), 1, blue},
		{"one row", asPNG(t, uniform(4096, 1, blue)), 1, blue},
		{"one column", asJPEG(t, uniform(1, 4096, blue)), 1, blue},
		{"513 wide", asPNG(t, uniform(513, 513, blue)), 512, blue},
		{"the largest JPEG", flatJPEG{w: 4096, h: 4096, values: []int{200, 128, 128}, factors: 0x22}.encode(), 512, color.Gray{200}},
		{"the largest JPEG, half the colours", flatJPEG{w: 4096, h: 4096, values: []int{200, 128, 128}, factors: 0x21}.encode(), 512, color.Gray{200}},
		{"11 megapixels, all colours", flatJPEG{w: 3328, h: 3328, values: []int{200, 128, 128}}.encode(), 512, color.Gray{200}},
		{"the largest white PNG", rawPNG{w: 4096, h: 4096, depth: 8, kind: pngGrayAlpha, pixels: zeros(4096 * 8193)}.encode(t), 512, color.White},
		{"the largest PNG of 16 bits", rawPNG{w: 4096, h: 4096, depth: 16, kind: pngRGB, pixels: zeros(4096 * (1 + 6*4096))}.encode(t), 512, color.Black},
		{"the largest interlaced PNG", rawPNG{w: 4096, h: 4096, depth: 8, kind: pngRGBA, interlaced: 1, pixels: zeros(4096*4096*4 + 512 + 512 + 512 + 1024 + 1024 + 2048 + 2048)}.encode(t), 512, color.White},
		{"the largest GIF", asGIF(t, 4096, 4096, green), 512, green},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			img := process(t, tt.file)
			if got := img.Bounds().Dx(); got != tt.size {
				t.Errorf("size = %d, want %d", got, tt.size)
			}
			if at := tt.size / 2; tt.want != nil && !near(img, at, at, tt.want) {
				t.Errorf("middle = %v, want %v", img.At(at, at), tt.want)
			}
		})
	}
}

func TestTheMiddleSquareIsKept(t *testing.T) {
	t.Parallel()
	for _, size := range []image.Point{{900, 300}, {300, 900}, {1801, 600}, {600, 1801}} {
		img := image.NewNRGBA(image.Rect(0, 0, size.X, size.Y)) // red and blue at the ends, green in the middle third
		for y := range size.Y {
			for x := range size.X {
				third := y * 3 / size.Y
				if size.X > size.Y {
					third = x * 3 / size.X
				}
				img.Set(x, y, []color.NRGBA{red, green, blue}[third])
			}
		}
		for name, file := range map[string][]byte{"JPEG": asJPEG(t, img), "PNG": asPNG(t, img)} {
			got := process(t, file)
			last := got.Bounds().Dx() - 1
			for _, at := range []image.Point{{4, 4}, {last - 4, 4}, {4, last - 4}, {last - 4, last - 4}} {
				if !near(got, at.X, at.Y, green) {
					t.Errorf("%s of %v at %v: %v", name, size, at, got.At(at.X, at.Y))
				}
			}
		}
	}
}

func TestShrinkingAverages(t *testing.T) {
	t.Parallel()
	stripes := image.NewGray(image.Rect(0, 0, 1536, 1536)) // of one black, one grey and one white pixel
	for i := range stripes.Pix {
		stripes.Pix[i] = []uint8{0, 150, 255}[i%1536%3]
	}
	img := process(t, asPNG(t, stripes))
	for _, at := range []int{0, 1, 100, 511} {
		if !near(img, at, at, color.Gray{135}) {
			t.Errorf("at %d: %v, want the average, 135", at, img.At(at, at))
		}
	}
	for _, side := range []int{513, 600, 1023, 1025, 4095} { // shares that do not come out even still come out white
		s := newSquare(side, side)
		white := image.NewUniform(color.White)
		for y := range side {
			s.addRow(white, image.Point{}, 0, y, 1)
		}
		for i, v := range s.avatar(0).Pix {
			if v != 0xff {
				t.Fatalf("side %d: sample %d is %d", side, i, v)
			}
		}
	}
}

func TestPhotosStandUprightAndTellNothing(t *testing.T) {
	t.Parallel()
	plain := asJPEG(t, quadrants(200, 200))
	upright := [][4]color.Color{ // top left, top right, bottom left, bottom right of each orientation
		{red, green, blue, yellow}, {red, green, blue, yellow}, {green, red, yellow, blue}, {yellow, blue, green, red}, {blue, yellow, red, green},
		{red, blue, green, yellow}, {blue, red, yellow, green}, {yellow, green, blue, red}, {green, yellow, red, blue}, {red, green, blue, yellow},
	}
	for orientation, want := range upright {
		for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
			comment := segment(0xfe, []byte("taken at home")...)
			file := insert(plain, segment(0xe0, []byte("JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x00\x00")...), exif(order, uint16(orientation)), comment)
			out, err := new(Processor).Process(t.Context(), file)
			if err != nil {
				t.Fatal(err)
			}
			img := checkAvatar(t, out)
			for i, c := range want {
				if x, y := 50+i%2*100, 50+i/2*100; !near(img, x, y, c) {
					t.Errorf("orientation %d, %v: %d is %v, want %v", orientation, order, i, img.At(x, y), c)
				}
			}
			for _, secret := range []string{"Exif", "39.9042", "camera-make", "taken at home", "JFIF"} {
				if bytes.Contains(out, []byte(secret)) {
					t.Errorf("the avatar still holds %q", secret)
				}
			}
		}
	}
}

func TestBrokenEXIFIsIgnored(t *testing.T) {
	t.Parallel()
	plain, whole := asJPEG(t, quadrants(32, 32)), exif(binary.BigEndian, 6)[4:]
	for n := range whole {
		process(t, insert(plain, segment(0xe1, whole[:n]...)))
	}
	for _, at := range []uint32{0, 4, 1 << 31, 0xffffffff} {
		far := bytes.Clone(whole)
		binary.BigEndian.PutUint32(far[10:], at)
		process(t, insert(plain, segment(0xe1, far...)))
	}
}

func TestPolyglotsLoseTheirOtherHalf(t *testing.T) {
	t.Parallel()
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	f, err := z.Create("payload.js")
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("alert(1)"))
	z.Close()
	script := asGIF(t, 16, 16, red)
	script = append(bytes.Clone(script[:len(script)-1]), "\x21\xfe\x0a*/alert(1)\x00;//</script><?php system($_GET[0]) ?>"...)
	text := asPNG(t, quadrants(16, 16))
	text = append(bytes.Clone(text[:33]), append(chunk("tEXt", []byte("Comment\x00<?php payload ?>")), text[33:]...)...)
	for name, file := range map[string][]byte{
		"JPEG and ZIP":       append(asJPEG(t, quadrants(16, 16)), archive.Bytes()...),
		"GIF and JavaScript": script,
		"PNG and PHP":        append(text, "<?php payload ?>"...),
	} {
		out, err := new(Processor).Process(t.Context(), file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkAvatar(t, out)
		if _, err := zip.NewReader(bytes.NewReader(out), int64(len(out))); err == nil {
			t.Errorf("%s: still an archive", name)
		}
		for _, half := range []string{"alert", "<?php", "script", "payload", "PK\x03\x04"} {
			if bytes.Contains(out, []byte(half)) {
				t.Errorf("%s: the avatar still holds %q", name, half)
			}
		}
	}
}

func TestPNGIsReadAsTheStandardLibraryReadsIt(t *testing.T) {
	t.Parallel()
	for _, size := range []image.Point{{1, 1}, {3, 2}, {7, 9}, {33, 33}, {50, 31}} {
		for name, file := range noiseOfAnyKind(t, size.X, size.Y) {
			if fault := comparePNG(file); fault != "" {
				t.Errorf("%v, %s: %s", size, name, fault)
			}
		}
	}
}

// comparePNG says how our reading of a PNG differs from image/png's; empty when it does not.
func comparePNG(file []byte) string {
	want, wantErr := stdpng.Decode(bytes.NewReader(file))
	pic, err := openPNG(file)
	var got *square
	if err == nil {
		got, err = pic.paint()
	}
	if wantErr != nil {
		return ""
	}
	if err != nil {
		return err.Error()
	}
	painted, err := paintImage(want)
	if err != nil {
		return err.Error()
	}
	a, b := got.avatar(0), painted.avatar(0)
	for i := range a.Pix {
		if d := int(a.Pix[i]) - int(b.Pix[i]); max(d, -d) > 2 { // 16 bits are blended at 8
			return "sample differs"
		}
	}
	return ""
}

func TestPicturesWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &Processor{AtOnce: 3}
		give, err := p.turn(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		small := asPNG(t, uniform(2, 2, red))
		if _, err := p.Process(t.Context(), small); err != nil {
			t.Errorf("beside another: %v", err)
		}
		large := asJPEG(t, uniform(3000, 3000, red))
		if _, err := p.Process(t.Context(), large); !errors.Is(err, ErrBusy) {
			t.Errorf("a large picture beside another = %v, want ErrBusy", err)
		}
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Process(gone, large); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrBusy) {
			t.Errorf("caller gone = %v", err)
		}
		go func() {
			time.Sleep(time.Second)
			give()
		}()
		if _, err := p.Process(t.Context(), large); err != nil {
			t.Errorf("a large picture after the other: %v", err)
		}
		if _, err := p.Process(t.Context(), large); err != nil {
			t.Errorf("and once more: %v", err)
		}
	})
}

func FuzzProcess(f *testing.F) {
	for _, file := range noiseOfAnyKind(f, 5, 5) {
		f.Add(file)
	}
	plain := asJPEG(f, quadrants(16, 16))
	f.Add(plain)
	f.Add(insert(plain, exif(binary.BigEndian, 6)))
	f.Add(flatJPEG{w: 9, h: 9, values: []int{200, 1, 2}, frame: jpegSOF2}.encode())
	f.Add(flatJPEG{w: 9, h: 9, values: []int{200, 1, 2, 3}, adobe: 1}.encode())
	f.Add(asGIF(f, 8, 8, red, blue))
	for _, text := range []string{webpLossy, webpLossless, webpAlpha, webpAnimated} {
		f.Add(decode64(f, text))
	}
	processor := new(Processor)
	f.Fuzz(func(t *testing.T, file []byte) {
		out, err := processor.Process(t.Context(), file)
		var input *InputError
		switch {
		case err == nil:
			checkAvatar(t, out)
		case !errors.As(err, &input):
			t.Errorf("error = %v", err)
		}
		if pic, err := openPNG(append([]byte(pngMagic), file[min(len(file), len(pngMagic)):]...)); err == nil && pic.memory < 32*512 {
			if fault := comparePNG(file); fault != "" && !isRefusedByUs(fault) {
				t.Error(fault)
			}
		}
	})
}

// isRefusedByUs reports what we are stricter in than image/png.
func isRefusedByUs(fault string) bool { return fault == zlib.ErrChecksum.Error() }
