package avatar

import (
	"compress/zlib"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"io"
	"slices"
)

var errPNGData = errors.New("png: bad pixel data")

// pass is every so many pixels of every so many rows.
type pass struct{ x, y, stepX, stepY int }

// passes returns in which order the pixels come (section 8).
func (p *png) passes() []pass {
	if !p.interlaced {
		return []pass{{0, 0, 1, 1}}
	}
	return []pass{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}
}

func (p *png) paint() (*square, error) {
	pixels, err := zlib.NewReader(&p.data)
	if err != nil {
		return nil, err
	}
	s := newSquare(p.width, p.height)
	for _, pass := range p.passes() {
		if pass.x < p.width {
			if err := p.paintPass(s, pixels, pass); err != nil {
				return nil, err
			}
		}
	}
	if n, err := io.ReadFull(pixels, make([]byte, 1)); n != 0 || err != io.EOF { // zlib has checked its sum by now
		return nil, errPNGData
	}
	return s, nil
}

func (p *png) paintPass(s *square, pixels io.Reader, at pass) error {
	img := image.NewNRGBA(image.Rect(0, 0, (p.width-at.x+at.stepX-1)/at.stepX, 1))
	pixelBits := p.samples * p.depth
	row := make([]byte, 1+(img.Rect.Dx()*pixelBits+7)/8) // the filter, then the samples
	before := make([]byte, len(row))
	for y := at.y; y < p.height; y += at.stepY {
		if _, err := io.ReadFull(pixels, row); err != nil {
			return err
		}
		if err := unfilter(row[0], row[1:], before[1:], (pixelBits+7)/8); err != nil {
			return err
		}
		if err := p.unpack(img.Pix, row[1:]); err != nil {
			return err
		}
		s.addRow(img, image.Point{}, at.x, y, at.stepX)
		row, before = before, row
	}
	return nil
}

// unpack makes samples of any kind and depth into NRGBA.
func (p *png) unpack(to, samples []byte) error {
	var pixel [4]uint16
	for i := 0; len(to) > 0; to = to[4:] {
		for c := range p.samples {
			pixel[c] = p.sample(samples, i)
			i++
		}
		alpha := uint8(0xff)
		if p.transparent != nil && slices.Equal(pixel[:p.samples], p.transparent) {
			alpha = 0
		}
		var c color.NRGBA
		switch p.kind {
		case pngGray:
			v := p.eightBits(pixel[0])
			c = color.NRGBA{v, v, v, alpha}
		case pngGrayAlpha:
			v := p.eightBits(pixel[0])
			c = color.NRGBA{v, v, v, p.eightBits(pixel[1])}
		case pngRGB:
			c = color.NRGBA{p.eightBits(pixel[0]), p.eightBits(pixel[1]), p.eightBits(pixel[2]), alpha}
		case pngRGBA:
			c = color.NRGBA{p.eightBits(pixel[0]), p.eightBits(pixel[1]), p.eightBits(pixel[2]), p.eightBits(pixel[3])}
		case pngPalette:
			if int(pixel[0]) >= len(p.palette) {
				return errPNGData
			}
			c = p.palette[pixel[0]]
		}
		to[0], to[1], to[2], to[3] = c.R, c.G, c.B, c.A
	}
	return nil
}

// sample returns number i of a row.
func (p *png) sample(row []byte, i int) uint16 {
	switch p.depth {
	case 16:
		return binary.BigEndian.Uint16(row[2*i:])
	case 8:
		return uint16(row[i])
	}
	at := i * p.depth
	return uint16(row[at/8] >> (8 - p.depth - at%8) & (1<<p.depth - 1))
}

// eightBits brings a sample to the depth of an avatar.
func (p *png) eightBits(v uint16) uint8 {
	switch p.depth {
	case 16:
		return uint8(v >> 8)
	case 8:
		return uint8(v)
	}
	return uint8(int(v) * 255 / (1<<p.depth - 1))
}

// unfilter undoes what made the row easier to compress (section 9.2).
func unfilter(filter byte, row, before []byte, distance int) error {
	if filter > 4 {
		return errPNGData
	}
	for i := range row {
		var left, corner byte
		if i >= distance {
			left, corner = row[i-distance], before[i-distance]
		}
		switch above := before[i]; filter {
		case 1:
			row[i] += left
		case 2:
			row[i] += above
		case 3:
			row[i] += byte((int(left) + int(above)) / 2)
		case 4:
			row[i] += paeth(left, above, corner)
		}
	}
	return nil
}

// paeth returns which of the three is nearest to left + above - corner.
func paeth(left, above, corner byte) byte {
	a, b := int(above)-int(corner), int(left)-int(corner) // how far from left, and from above
	toLeft, toAbove, toCorner := max(a, -a), max(b, -b), max(a+b, -a-b)
	switch {
	case toLeft <= toAbove && toLeft <= toCorner:
		return left
	case toAbove <= toCorner:
		return above
	}
	return corner
}
