package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// headerPatience is how long a connection may take to send a request's header.
const headerPatience = 10 * time.Second

// Serve answers on listener until ctx ends, and closes it. A fault that restarts
// the server closes the port as well, so that connections are refused, and opens
// the same port again afterwards.
//
// Without Serve, behind a [net/http.Server] of the caller's, a restart resets the
// connections that arrive while the server is down.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	address := listener.Addr()
	public := !isLoopback(address)
	for {
		err := s.serveOnce(ctx, listener, public)
		wait := s.power.left()
		if ctx.Err() != nil || !errors.Is(err, http.ErrServerClosed) {
			if ctx.Err() != nil && errors.Is(err, http.ErrServerClosed) {
				return nil
			}
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		if listener, err = listenAgain(ctx, address); err != nil {
			return fmt.Errorf("sandbox: listen again after a restart: %w", err)
		}
	}
}

// serveOnce serves until ctx ends or the server goes down.
func (s *Server) serveOnce(ctx context.Context, listener net.Listener, public bool) error {
	var conns openConns
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: headerPatience, ConnState: conns.track,
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), publicKey{}, public)
		},
	}
	life := s.power.life()
	stopped := context.AfterFunc(life, func() {
		conns.abort()
		server.Close()
	})
	defer stopped()
	ended := context.AfterFunc(ctx, func() { server.Close() })
	defer ended()
	return server.Serve(listener)
}

// listenAgain opens a port that was open just before; the system may need a moment.
func listenAgain(ctx context.Context, address net.Addr) (net.Listener, error) {
	var config net.ListenConfig
	for try := 0; ; try++ {
		listener, err := config.Listen(ctx, address.Network(), address.String())
		if err == nil || try == 50 || ctx.Err() != nil {
			return listener, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// openConns are the connections of a server.
type openConns struct {
	mu  sync.Mutex
	set map[net.Conn]bool
}

func (o *openConns) track(conn net.Conn, state http.ConnState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch state {
	case http.StateNew:
		if o.set == nil {
			o.set = make(map[net.Conn]bool)
		}
		o.set[conn] = true
	case http.StateClosed, http.StateHijacked:
		delete(o.set, conn)
	}
}

// abort resets all connections, as a process that dies does.
func (o *openConns) abort() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for conn := range o.set {
		abort(conn)
	}
}

// abort ends a connection with a reset instead of an orderly end.
func abort(conn net.Conn) {
	raw := conn
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		raw = secured.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	raw.Close()
}

// power is whether the process behind the server runs. The zero value runs.
type power struct {
	mu    sync.Mutex
	until time.Time // down until then
	ctx   context.Context
	end   context.CancelFunc
}

// life returns a context that ends when the process dies.
func (p *power) life() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil || p.ctx.Err() != nil && !time.Now().Before(p.until) {
		p.ctx, p.end = context.WithCancel(context.Background())
	}
	return p.ctx
}

// die ends the process, and lets a new one start after a time.
func (p *power) die(down time.Duration) {
	p.life() // so that there is one to end
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Now().Add(down)
	p.end()
}

// left returns for how long the server stays down.
func (p *power) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.until)
}

type publicKey struct{}

// isHostAllowed reports whether the request names this server. A server that
// listens on this machine alone answers under the machine's own names only: a page
// that a browser loads from elsewhere can make its own name lead here.
func isHostAllowed(r *http.Request) bool {
	public, known := r.Context().Value(publicKey{}).(bool)
	if !known {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		public = local == nil || !isLoopback(local)
	}
	if public {
		return true
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func isLoopback(address net.Addr) bool {
	tcp, ok := address.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
