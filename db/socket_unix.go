//go:build unix

package db

import "syscall"

// quiet reports whether a socket nobody waits on is open with nothing to read, as it is between statements. A server
// that stopped has closed it, perhaps with a last word. This asks the kernel, not the server: it costs a microsecond
// and no round trip.
func (s *socket) quiet() bool {
	if s.raw == nil {
		return true
	}
	var b [1]byte
	alive := false
	err := s.raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
		alive = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		return true // never wait
	})
	return err == nil && alive
}
