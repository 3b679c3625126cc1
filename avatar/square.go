package avatar

import (
	"image"
	"image/draw"
)

// square is the avatar in the making: the middle square of a picture, shrunk by averaging. Every pixel of the picture
// gives its colour to the one or two pixels of the avatar, each way, that it falls on, in exact shares. Pixels may
// come in any order and one row at a time, so a picture need not be in memory as a whole. (The kernels of
// golang.org/x/image/draw want all of it, and 64 MiB of their own for a picture of 4096 by 4096.)
type square struct {
	left, top, side int         // where it is in the picture
	size            int         // of the avatar
	shares          []share     // of each row and column of the square
	sums            []uint32    // of red, green and blue, for each pixel of the avatar
	pixels          *image.RGBA // of one row, on white
	row             []uint32    // that row, shrunk to the width of the avatar
}

// share says to which row or column of the avatar one of the square goes: first parts to at, next to the one after.
// The parts that a row or column of the avatar gets are as many as the square has.
type share struct {
	at          int
	first, next uint32
}

// newSquare prepares the middle square of a picture of width by height pixels, none of them more than maxSide: that is
// how far the sums go, 255 * 4096 * 4096 being just under 2^32.
func newSquare(width, height int) *square {
	side := min(width, height)
	s := &square{
		left:   (width - side) / 2,
		top:    (height - side) / 2,
		side:   side,
		size:   min(side, sideMade),
		shares: make([]share, side),
		pixels: image.NewRGBA(image.Rect(0, 0, side, 1)),
	}
	s.sums = make([]uint32, 3*s.size*s.size)
	s.row = make([]uint32, 3*s.size)
	for i := range s.shares {
		from, to := i*s.size, (i+1)*s.size
		at := from / side
		edge := (at + 1) * side
		s.shares[i] = share{at: at, first: uint32(min(to, edge) - from), next: uint32(max(to-edge, 0))}
	}
	return s
}

// addRow adds a row of src, which begins at from. Its pixels are the picture's at x, x+step, x+2*step and so on in
// row y; those outside the square are left out.
func (s *square) addRow(src image.Image, from image.Point, x, y, step int) {
	x, y = x-s.left, y-s.top
	if y < 0 || y >= s.side {
		return
	}
	if x < 0 {
		skip := (-x + step - 1) / step
		from.X += skip
		x += skip * step
	}
	n := (s.side - x + step - 1) / step
	if n <= 0 {
		return
	}
	r := image.Rect(0, 0, n, 1)
	draw.Draw(s.pixels, r, image.White, image.Point{}, draw.Src)
	draw.Draw(s.pixels, r, src, from, draw.Over)
	clear(s.row)
	for i := range n {
		pixel, share := s.pixels.Pix[4*i:4*i+3], s.shares[x+i*step]
		to := s.row[3*share.at:]
		for c, v := range pixel {
			to[c] += uint32(v) * share.first
			if share.next > 0 {
				to[3+c] += uint32(v) * share.next
			}
		}
	}
	share := s.shares[y]
	s.addTo(share.at, share.first)
	if share.next > 0 {
		s.addTo(share.at+1, share.next)
	}
}

// addTo adds parts of the shrunk row to row y of the avatar.
func (s *square) addTo(y int, parts uint32) {
	to := s.sums[y*len(s.row):][:len(s.row)]
	for i, v := range s.row {
		to[i] += v * parts
	}
}

// avatar returns the averages, turned upright.
func (s *square) avatar(orientation int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, s.size, s.size))
	area := uint32(s.side * s.side)
	for y := range s.size {
		for x := range s.size {
			fromX, fromY := upright(orientation, x, y, s.size-1)
			sums, to := s.sums[3*(fromY*s.size+fromX):], img.Pix[img.PixOffset(x, y):]
			for c := range 3 {
				to[c] = uint8((sums[c] + area/2) / area)
			}
			to[3] = 0xff
		}
	}
	return img
}

// upright returns which stored pixel belongs at x, y when all is turned upright; last is the greatest coordinate. The
// orientations are EXIF's (CIPA DC-008, tag 0x0112): 3, 6 and 8 are turned, 2, 4, 5 and 7 mirrored.
func upright(orientation, x, y, last int) (fromX, fromY int) {
	switch orientation {
	case 2:
		return last - x, y
	case 3:
		return last - x, last - y
	case 4:
		return x, last - y
	case 5:
		return y, x
	case 6:
		return y, last - x
	case 7:
		return last - y, last - x
	case 8:
		return last - y, x
	}
	return x, y
}
