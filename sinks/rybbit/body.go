package rybbit

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// body is a request body in parts that are not copied together. It reports how
// much of it has been taken. A transport may go on reading after it has
// returned an answer or an error; once closed, a body leaves the parts alone.
type body struct {
	size     int
	progress *progress

	mu     sync.Mutex
	parts  [][]byte
	taken  int
	closed bool
}

func newBody(parts ...[]byte) *body {
	b := &body{parts: parts}
	for _, p := range parts {
		b.size += len(p)
	}
	return b
}

// take calls do with the next parts, at most so many bytes, and counts what it says that
// it has taken of them as taken. What it left is none of the body any more.
func (b *body) take(most int, do func(parts net.Buffers) (int, error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return io.ErrClosedPipe
	}
	var next net.Buffers
	for len(b.parts) > 0 && most > 0 {
		n := min(len(b.parts[0]), most)
		if n > 0 {
			next = append(next, b.parts[0][:n])
		}
		most -= n
		if b.parts[0] = b.parts[0][n:]; len(b.parts[0]) == 0 {
			b.parts = b.parts[1:]
		}
	}
	if len(next) == 0 && len(b.parts) == 0 {
		return io.EOF
	}
	n, err := do(next)
	b.taken += n
	b.progress.made()
	return err
}

func (b *body) Read(p []byte) (n int, err error) {
	err = b.take(len(p), func(parts net.Buffers) (int, error) {
		for _, part := range parts {
			n += copy(p[n:], part)
		}
		return n, nil
	})
	return n, err
}

// leastSend is how much must get on its way in the time after which a request counts as
// stalled, in which it is asked for sendLooks times.
const (
	leastSend = 128 << 10
	sendLooks = 64
)

// send sends at most so many bytes to conn, at once and from where they are. A
// connection that takes long is asked from time to time how much it has taken.
func (b *body) send(conn net.Conn, most int) (sent int, err error) {
	err = b.take(most, func(parts net.Buffers) (int, error) {
		for noted := 0; ; {
			if err := conn.SetWriteDeadline(time.Now().Add(b.progress.limit / sendLooks)); err != nil {
				return sent, err
			}
			n, err := parts.WriteTo(conn)
			sent += int(n)
			if err == nil {
				return sent, conn.SetWriteDeadline(time.Time{})
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				return sent, err
			}
			if sent-noted >= leastSend {
				noted = sent
				b.progress.made()
			}
		}
	})
	return sent, err
}

// Close returns once nothing is read or sent of the body any more. What sends it must
// be over by then, or its connection be closed.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

func (b *body) written() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.taken
}

// bodyConn is a connection that sends bodies from where they are: a transport copies
// them, by 32 KiB.
type bodyConn struct{ *net.TCPConn }

// ReadFrom sends what a transport has it read, which is a body up to its announced
// length.
func (c bodyConn) ReadFrom(r io.Reader) (int64, error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		return c.TCPConn.ReadFrom(r)
	}
	b, ok := limited.R.(*body)
	if !ok {
		return c.TCPConn.ReadFrom(r)
	}
	sent, err := b.send(c.TCPConn, int(limited.N))
	limited.N -= int64(sent)
	if err == io.EOF {
		err = nil
	}
	return int64(sent), err
}

// dialing returns dial with connections that send bodies so.
func dialing(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok {
			return bodyConn{tcp}, err
		}
		return conn, err
	}
}
