package rybbit

import (
	"context"
	"io"
	"net"
	"sync"
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

// take calls do with the next parts, at most so many bytes, which count as taken
// before it can begin to send them.
func (b *body) take(most int, do func(parts net.Buffers) error) error {
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
		b.taken, most = b.taken+n, most-n
		if b.parts[0] = b.parts[0][n:]; len(b.parts[0]) == 0 {
			b.parts = b.parts[1:]
		}
	}
	if len(next) == 0 && len(b.parts) == 0 {
		return io.EOF
	}
	err := do(next)
	b.progress.made()
	return err
}

func (b *body) Read(p []byte) (n int, err error) {
	err = b.take(len(p), func(parts net.Buffers) error {
		for _, part := range parts {
			n += copy(p[n:], part)
		}
		return nil
	})
	return n, err
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

// bodyConn is a connection that sends bodies from where they are, and much at once: a
// transport copies them, by 32 KiB.
type bodyConn struct{ *net.TCPConn }

// maxSend is how much is sent at once, which must get on its way before a request
// counts as stalled.
const maxSend = 256 << 10

// ReadFrom sends what a transport has it read, which is a body up to its announced
// length.
func (c bodyConn) ReadFrom(r io.Reader) (sent int64, err error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		return c.TCPConn.ReadFrom(r)
	}
	b, ok := limited.R.(*body)
	if !ok {
		return c.TCPConn.ReadFrom(r)
	}
	for limited.N > 0 && err == nil {
		err = b.take(int(min(limited.N, maxSend)), func(parts net.Buffers) error {
			n, err := parts.WriteTo(c.TCPConn)
			limited.N, sent = limited.N-n, sent+n
			return err
		})
	}
	if err == io.EOF {
		err = nil
	}
	return sent, err
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
