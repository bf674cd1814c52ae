package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"hopper/adapters/input"
)

// misbehaving serves one content, with faults.
type misbehaving struct {
	content   []byte
	noRanges  bool
	noETag    bool
	breakEach int // bytes after which each answer breaks off
	etag      func() string
	stall     bool // the first answer, after its first bytes
	status    int
	wrong     bool // the range
	chunked   bool

	mu       sync.Mutex
	requests []string
}

func (m *misbehaving) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.requests = append(m.requests, r.Header.Get("Range"))
	number := len(m.requests)
	m.mu.Unlock()
	if m.status != 0 {
		http.Error(w, "no", m.status)
		return
	}
	if !m.noETag {
		w.Header().Set("ETag", m.etag())
	}
	if m.noRanges {
		r.Header.Del("Range")
	}
	if m.wrong && number > 1 {
		r.Header.Set("Range", "bytes=5-9")
	}
	if m.chunked {
		w.(http.Flusher).Flush()
		w.Write(m.content)
		return
	}
	if m.breakEach > 0 {
		w = &breaking{w, m.breakEach}
	}
	if m.stall && number == 2 {
		w.Header().Set("Content-Length", fmt.Sprint(len(m.content)))
		w.Write(m.content[:10])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	}
	http.ServeContent(w, r, "", time.Unix(1_700_000_000, 0), bytes.NewReader(m.content))
}

type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	n, _ := b.ResponseWriter.Write(p[:min(len(p), b.left)])
	if b.left -= n; b.left == 0 {
		b.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

var quick = Retry{Pause: time.Millisecond, Stall: 200 * time.Millisecond}

// read opens an address, and returns what it holds by a stream and by random access.
func read(t *testing.T, w *Web, address string) (stream, random []byte, err error) {
	t.Helper()
	ins, err := input.Open(t.Context(), []string{address}, nil, t.TempDir(), w)
	if err != nil {
		return nil, nil, err
	}
	defer ins.Close()
	r, err := ins.Files[0].Open(t.Context())
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	if stream, err = io.ReadAll(r); err != nil {
		return stream, nil, err
	}
	f, err := ins.Files[0].File(t.Context())
	if err != nil {
		return stream, nil, err
	}
	defer f.Close()
	random, err = io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	return stream, random, err
}

func long() []byte { return bytes.Repeat([]byte("0123456789abcdef\n"), 20000) }

func TestServersThatMisbehave(t *testing.T) {
	same := func() string { return `"one"` }
	for name, m := range map[string]*misbehaving{
		"well":                {},
		"no ranges":           {noRanges: true},
		"no validators":       {noETag: true},
		"weak":                {etag: func() string { return `W/"one"` }},
		"breaks off":          {breakEach: 30_000},
		"breaks off, restart": {breakEach: 200_000, noRanges: true},
		"stalls":              {stall: true},
		"no length":           {chunked: true},
	} {
		t.Run(name, func(t *testing.T) {
			m.content = long()
			if m.etag == nil {
				m.etag = same
			}
			w := &Web{Retry: quick}
			stream, random, err := read(t, w, serve(t, m)+"/a.csv")
			if name == "breaks off, restart" {
				if err == nil || !strings.Contains(err.Error(), "after 6 tries") {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || !bytes.Equal(stream, m.content) || !bytes.Equal(random, m.content) {
				t.Errorf("read %d and %d bytes, %v", len(stream), len(random), err)
			}
		})
	}
}

func TestWebErrors(t *testing.T) {
	number := 0
	for want, m := range map[string]*misbehaving{
		"changed while it was read":          {etag: func() string { number++; return fmt.Sprintf(`"%d"`, number/3) }},
		"404 Not Found; check the address":   {status: 404},
		"403 Forbidden; check that":          {status: 403},
		"after 6 tries: the server answered": {status: 503},
		"with a different range":             {wrong: true},
	} {
		m.content = long()
		if m.etag == nil {
			m.etag = func() string { return `"one"` }
		}
		address := strings.Replace(serve(t, m), "://", "://user:SECRET@", 1) + "/a.csv?X-Amz-Signature=SECRET#SECRET"
		_, _, err := read(t, &Web{Retry: quick}, address)
		var positioned *input.Error
		if !errors.As(err, &positioned) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	_, _, err := read(t, &Web{Retry: quick}, "http://user:SECRET@127.0.0.1:9/a.csv?SECRET")
	var away *input.AwayError
	if !errors.As(err, &away) || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("no server: got %v", err)
	}
}

func TestPlainHTTPIsTold(t *testing.T) {
	var told []string
	w := &Web{Retry: quick, Warn: func(s string) { told = append(told, s) }}
	m := &misbehaving{content: long(), etag: func() string { return `"one"` }}
	if _, _, err := read(t, w, serve(t, m)+"/a.csv"); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || !strings.Contains(told[0], "without encryption") {
		t.Errorf("told %q", told)
	}
	w = &Web{isPrivate: func(netip.Addr) bool { return false }}
	if _, _, err := read(t, w, serve(t, m)+"/a.csv"); err == nil || !strings.Contains(err.Error(), "plain HTTP to a public host") {
		t.Errorf("got %v", err)
	}
}

func TestCertificateIsVerified(t *testing.T) {
	server := httptest.NewTLSServer(&misbehaving{content: long(), etag: func() string { return `"one"` }})
	server.Config.ErrorLog = nil
	defer server.Close()
	if _, _, err := read(t, &Web{Retry: quick}, server.URL+"/a.csv"); err == nil || !strings.Contains(err.Error(), "certificate is not valid") {
		t.Errorf("got %v", err)
	}
	trusting := server.Client().Transport.(*http.Transport)
	if _, _, err := read(t, &Web{Retry: quick, Transport: trusting}, server.URL+"/a.csv"); err != nil {
		t.Error(err)
	}
}

func TestRedirects(t *testing.T) {
	target := serve(t, &misbehaving{content: long(), etag: func() string { return `"one"` }})
	to := func(location string) http.Handler { return http.RedirectHandler(location, http.StatusFound) }
	// Stands for a public address.
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skip(err)
	}
	secure := httptest.NewUnstartedServer(to("https://" + strings.TrimPrefix(target, "http://") + "/a.csv"))
	secure.Listener.Close()
	secure.Listener = listener
	secure.StartTLS()
	defer secure.Close()
	private := func(a netip.Addr) bool { return a != netip.MustParseAddr("127.0.0.2") }
	trusting := secure.Client().Transport.(*http.Transport).Clone()
	trusting.TLSClientConfig.InsecureSkipVerify = true
	for address, want := range map[string]string{
		serve(t, to(target+"/a.csv")):         "",
		serve(t, to("ftp://host/a")):          "redirects from http to ftp",
		serve(t, to("file:///etc/x")):         "redirects from http to file",
		serve(t, to("/again")) + "/":          "redirects more than 10 times",
		"https://" + listener.Addr().String(): "redirects from a public to a private address",
	} {
		_, _, err := read(t, &Web{Retry: quick, Transport: trusting, isPrivate: private}, address)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", address, err, want)
		}
	}
}

func TestWaitingEndsWithContext(t *testing.T) {
	stalled := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := input.Open(ctx, []string{stalled + "/a.csv"}, nil, "", &Web{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func FuzzParseRange(f *testing.F) {
	for _, seed := range []string{"bytes 0-9/100", "bytes */0", "bytes 5-4/1", "bytes 1-2/*", "-1-/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if start, size, ok := parseRange(header); ok && (start < 0 || size >= 0 && start >= size) {
			t.Errorf("%q: got %d of %d", header, start, size)
		}
	})
}

// Whatever address is given, what may be secret is not printed.
func FuzzPrintable(f *testing.F) {
	f.Add("https", "user:p@ss", "host/path", "X-Amz-Signature=1")
	f.Fuzz(func(t *testing.T, scheme, user, path, query string) {
		const secret = "SECRET7261"
		if strings.ContainsAny(scheme+user, ":/?#") {
			return
		}
		for _, address := range []string{scheme + "://" + user + ":" + secret + "@" + path, scheme + "://" + path + "?" + query + secret, scheme + "://" + path + "#" + secret} {
			if got := input.Printable(address); strings.Contains(got, secret) && !strings.Contains(path, secret) {
				t.Errorf("%q is printed as %q", address, got)
			}
		}
	})
}
