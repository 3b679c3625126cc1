package avatar

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image/color"
	"io"
)

// PNG (www.w3.org/TR/png-3) is read here row by row. image/png returns a whole picture, which at 4096 by 4096 takes
// 64 MiB, or 128 MiB when it is 16 bits deep; row by row it takes some kilobytes. Tests hold it to image/png's results.

const pngMagic = "\x89PNG\r\n\x1a\n"

// The colour types (section 11.2.1).
const (
	pngGray      = 0
	pngRGB       = 2
	pngPalette   = 3
	pngGrayAlpha = 4
	pngRGBA      = 6
)

var (
	errPNGHeader = errors.New("png: bad header")
	errPNGChunk  = errors.New("png: bad chunk")
)

// png is a header and what it takes to read the pixels behind it.
type png struct {
	width, height int
	kind          byte // the colour type
	samples       int  // of a pixel
	depth         int  // bits of a sample
	interlaced    bool
	palette       []color.NRGBA // of pngPalette
	transparent   []uint16      // the one grey or colour that is; nil for none
	data          idat
}

func openPNG(file []byte) (*picture, error) {
	p := &png{}
	if err := p.readHeader(file[len(pngMagic):]); errors.Is(err, ErrDimensions) {
		return nil, err
	} else if err != nil {
		return nil, broken(err)
	}
	return &picture{memory: 32 * int64(p.width), paint: p.paint}, nil
}

// readHeader reads everything in front of the pixels.
func (p *png) readHeader(rest []byte) error {
	name, data, rest, err := nextChunk(rest)
	if err != nil || name != "IHDR" || len(data) != 13 {
		return errPNGHeader
	}
	width, height := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
	if width > maxSide || height > maxSide {
		return ErrDimensions
	}
	p.width, p.height = int(width), int(height)
	p.depth, p.kind, p.interlaced = int(data[8]), data[9], data[12] == 1
	if !p.knowsKind() || data[10] != 0 || data[11] != 0 || data[12] > 1 {
		return errPNGHeader
	}
	if err := checkDimensions(p.width, p.height); err != nil {
		return err
	}
	for name != "IDAT" {
		p.data.rest = rest
		if name, data, rest, err = nextChunk(rest); err != nil {
			return err
		}
		switch {
		case name == "PLTE" && p.kind == pngPalette && p.palette == nil:
			err = p.readPalette(data)
		case name == "tRNS":
			err = p.readTransparency(data)
		case name == "IDAT" && p.kind == pngPalette && p.palette == nil, name == "IEND":
			err = errPNGChunk
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// knowsKind finds how many samples a pixel has, and whether they may be that deep.
func (p *png) knowsKind() bool {
	p.samples = map[byte]int{pngGray: 1, pngRGB: 3, pngPalette: 1, pngGrayAlpha: 2, pngRGBA: 4}[p.kind]
	switch p.depth {
	case 1, 2, 4:
		return p.samples == 1
	case 8:
		return p.samples > 0
	case 16:
		return p.samples > 0 && p.kind != pngPalette
	}
	return false
}

func (p *png) readPalette(data []byte) error {
	if len(data) == 0 || len(data)%3 != 0 || len(data) > 3<<p.depth {
		return errPNGChunk
	}
	for ; len(data) > 0; data = data[3:] {
		p.palette = append(p.palette, color.NRGBA{data[0], data[1], data[2], 0xff})
	}
	return nil
}

// readTransparency reads how opaque the first colours of a palette are, else which grey or colour is not there.
func (p *png) readTransparency(data []byte) error {
	switch {
	case p.kind == pngPalette && len(data) <= len(p.palette):
		for i, alpha := range data {
			p.palette[i].A = alpha
		}
	case (p.kind == pngGray || p.kind == pngRGB) && len(data) == 2*p.samples:
		p.transparent = nil
		for ; len(data) > 0; data = data[2:] {
			p.transparent = append(p.transparent, binary.BigEndian.Uint16(data))
		}
	default:
		return errPNGChunk
	}
	return nil
}

// idat reads the data of consecutive IDAT chunks as one stream.
type idat struct{ data, rest []byte }

func (d *idat) Read(p []byte) (int, error) {
	for len(d.data) == 0 {
		name, data, rest, err := nextChunk(d.rest)
		if err != nil {
			return 0, err
		}
		if name != "IDAT" {
			return 0, io.ErrUnexpectedEOF
		}
		d.data, d.rest = data, rest
	}
	n := copy(p, d.data)
	d.data = d.data[n:]
	return n, nil
}

// nextChunk splits a chunk, length, name, data and sum, from what follows.
func nextChunk(file []byte) (name string, data, rest []byte, err error) {
	if len(file) < 12 {
		return "", nil, nil, io.ErrUnexpectedEOF
	}
	size := int64(binary.BigEndian.Uint32(file))
	if size > int64(len(file)-12) {
		return "", nil, nil, io.ErrUnexpectedEOF
	}
	end := 8 + size
	if crc32.ChecksumIEEE(file[4:end]) != binary.BigEndian.Uint32(file[end:]) {
		return "", nil, nil, errPNGChunk
	}
	return string(file[4:8]), file[8:end], file[end+4:], nil
}
