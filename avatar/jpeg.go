package avatar

import (
	"bytes"
	"encoding/binary"
	"image/jpeg"
)

// maxScans is how many passes over a picture a JPEG may make. Progressive ones make about ten; a file of nothing but
// empty passes would keep the decoder busy for minutes.
const maxScans = 64

// Markers of a JPEG (ITU-T T.81, table B.1).
const (
	jpegSOF0, jpegSOF2 = 0xc0, 0xc2 // sequential and progressive frame; the one between is sequential too
	jpegRST0, jpegRST7 = 0xd0, 0xd7
	jpegEOI, jpegSOS   = 0xd9, 0xda
	jpegAPP1           = 0xe1 // EXIF, among others
	jpegAPP14          = 0xee // Adobe's, which tells how colours are meant
)

// jpegHeader is what the markers of a JPEG tell beyond its dimensions.
type jpegHeader struct {
	samples     int64 // in all components, with the padding to whole blocks
	components  int
	progressive bool
	rgb         bool // may be RGB rather than YCbCr
	scans       int
	orientation int
}

func openJPEG(file []byte) (*picture, error) {
	config, err := jpeg.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, broken(err)
	}
	if err := checkDimensions(config.Width, config.Height); err != nil {
		return nil, err
	}
	header, err := readJPEG(file)
	if err != nil {
		return nil, err
	}
	if header.scans > maxScans {
		return nil, ErrTooComplex
	}
	memory := header.samples
	if header.progressive { // the coefficients are kept, four bytes each
		memory += 4 * header.samples
	}
	if header.components == 4 || header.rgb { // converted once more
		memory += 4 * int64(config.Width) * int64(config.Height)
	}
	return &picture{memory: memory, orientation: header.orientation, paint: func() (*square, error) {
		img, err := jpeg.Decode(bytes.NewReader(file))
		if err != nil {
			return nil, err
		}
		return paintImage(img)
	}}, nil
}

// readJPEG goes through the markers as image/jpeg does, from the first to the one that ends the picture. What comes
// after that, other pictures perhaps, is not the decoder's business nor ours.
func readJPEG(file []byte) (*jpegHeader, error) {
	h := &jpegHeader{}
	for rest := file[2:]; ; {
		start := bytes.IndexByte(rest, 0xff)
		if start < 0 {
			return nil, ErrBroken
		}
		for rest = rest[start:]; len(rest) > 0 && rest[0] == 0xff; { // any number of them may fill up
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return nil, ErrBroken
		}
		marker := rest[0]
		rest = rest[1:]
		if marker == 0 || marker >= jpegRST0 && marker <= jpegRST7 { // within the coded pixels
			continue
		}
		if marker == jpegEOI {
			return h, nil
		}
		if len(rest) < 2 {
			return nil, ErrBroken
		}
		size := int(binary.BigEndian.Uint16(rest))
		if size < 2 || size > len(rest) {
			return nil, ErrBroken
		}
		h.segment(marker, rest[2:size])
		rest = rest[size:]
	}
}

func (h *jpegHeader) segment(marker byte, data []byte) {
	switch {
	case marker >= jpegSOF0 && marker <= jpegSOF2:
		h.frame(data)
		h.progressive = h.progressive || marker == jpegSOF2
	case marker == jpegSOS:
		h.scans++
	case marker == jpegAPP14 && len(data) >= 12 && bytes.HasPrefix(data, []byte("Adobe")):
		h.rgb = h.rgb || data[11] == 0
	case marker == jpegAPP1 && h.orientation == 0:
		if tiff, ok := bytes.CutPrefix(data, []byte("Exif\x00\x00")); ok {
			h.orientation = orientation(tiff)
		}
	}
}

// frame reads a frame header: precision, height, width, and for each component its id, its sampling factors and its
// table.
func (h *jpegHeader) frame(data []byte) {
	if len(data) < 6 || len(data) < 6+3*int(data[5]) || data[5] == 0 {
		return // the decoder refuses it
	}
	height, width := int64(binary.BigEndian.Uint16(data[1:])), int64(binary.BigEndian.Uint16(data[3:]))
	h.components = int(data[5])
	var ids []byte
	var blocks, across, down int64 // in an MCU, which is as wide and high as the first component says
	for c := range h.components {
		id, factors := data[6+3*c], data[7+3*c]
		ids = append(ids, id)
		wide, high := int64(factors>>4), int64(factors&15)
		if c == 0 {
			across, down = 8*max(wide, 1), 8*max(high, 1)
		}
		blocks += wide * high
	}
	if h.components == 1 { // not interleaved, so its factors mean nothing
		blocks, across, down = 1, 8, 8
	}
	h.rgb = h.rgb || string(ids) == "RGB"
	h.samples = 64 * blocks * ((width + across - 1) / across) * ((height + down - 1) / down)
}

// orientation reads the one tag of EXIF that tells how the camera was held, from the first directory of its TIFF
// structure (TIFF 6.0, section 2); 0 when it cannot.
func orientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.BigEndian
	if tiff[0] == 'I' {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 0
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 0
		}
		const tag, short = 0x0112, 3
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			return int(order.Uint16(entries[8:]))
		}
		entries = entries[12:]
	}
	return 0
}
