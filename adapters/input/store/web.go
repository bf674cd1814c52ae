package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"hopper/adapters/input"
)

// Web is the store of web servers: https://, and http:// to this machine and
// to private networks. The zero value is ready for use.
type Web struct {
	// Warn, if set, is called with what a user should know, once for a host.
	Warn func(message string)
	// Transport is the base of all requests; nil is a new one with the
	// environment's proxies and the system's certificates.
	Transport *http.Transport
	Retry     Retry

	// isPrivate tells addresses of this machine and private networks from
	// others; nil is private.
	isPrivate func(netip.Addr) bool

	setup  sync.Once
	any    *http.Client // to all addresses
	public *http.Client // refuses private addresses
	warned sync.Map     // hosts
}

// Schemes returns https and http.
func (*Web) Schemes() []string { return []string{"https", "http"} }

// Find asks for an address. A web server has no globs and no directories.
func (w *Web) Find(ctx context.Context, address string, found func(input.Object) error, _ func(input.PassedOver)) error {
	name := input.Printable(address)
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return input.Errorf(name, "is no address").Advise("write it as https://host/path")
	}
	o := &webObject{web: w, name: name, address: u}
	if err := w.Retry.Do(ctx, name, func() error { return o.ask(ctx) }); err != nil {
		return err
	}
	u.Fragment = ""
	return found(input.Object{
		Name: name, ID: u.String(), Size: o.size, Version: o.version(), Named: true, Contents: o,
	})
}

// clients makes the clients for first use.
func (w *Web) clients() {
	base := w.Transport
	if base == nil {
		base = http.DefaultTransport.(*http.Transport).Clone()
	}
	client := func(control func(network, address string, c syscall.RawConn) error) *http.Client {
		t := base.Clone()
		t.DisableCompression = true // offsets are of the bytes as stored
		t.ResponseHeaderTimeout = time.Minute
		t.DialContext = (&net.Dialer{Timeout: 30 * time.Second, Control: control}).DialContext
		return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if w.isPrivate == nil {
		w.isPrivate = private
	}
	w.any = client(nil)
	w.public = client(func(_, address string, _ syscall.RawConn) error {
		if at, err := netip.ParseAddrPort(address); err == nil && w.isPrivate(at.Addr()) {
			return errPrivate
		}
		return nil
	})
}

var errPrivate = errors.New("a private address")

// carrierGrade are the addresses that providers share among customers.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

func private(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() || carrierGrade.Contains(a)
}

// webObject is what a web server has at an address.
type webObject struct {
	web      *Web
	name     string
	address  *url.URL
	size     int64 // -1 is unknown
	ranges   bool
	etag     string
	modified string
}

// version returns what identifies the contents, or nothing where the server
// does not say.
func (o *webObject) version() string {
	switch {
	case o.size < 0:
		return ""
	case o.etag != "":
		return "etag " + o.etag
	case o.modified != "":
		return "modified " + o.modified
	}
	return ""
}

// ask finds out what the server says of the object, by its first byte: some
// that answer GET refuse HEAD.
func (o *webObject) ask(ctx context.Context) error {
	resp, err := o.send(ctx, "bytes=0-0")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	o.etag, o.modified = resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
	switch resp.StatusCode {
	case http.StatusOK:
		o.size = resp.ContentLength
		return nil
	case http.StatusRequestedRangeNotSatisfiable: // of an empty file
		if resp.Header.Get("Content-Range") == "bytes */0" {
			return nil
		}
	case http.StatusPartialContent:
		if _, size, ok := parseRange(resp.Header.Get("Content-Range")); ok {
			o.size, o.ranges = size, true
			return nil
		}
	}
	return o.refused(resp)
}

// parseRange reads a header such as "bytes 0-9/100"; a size of * is -1.
func parseRange(header string) (start, size int64, ok bool) {
	span, total, ok := strings.Cut(strings.TrimPrefix(header, "bytes "), "/")
	first, last, dash := strings.Cut(span, "-")
	if !ok || !dash || !strings.HasPrefix(header, "bytes ") {
		return 0, 0, false
	}
	start, err := strconv.ParseInt(first, 10, 64)
	end, endErr := strconv.ParseInt(last, 10, 64)
	if err != nil || endErr != nil || start < 0 || end < start {
		return 0, 0, false
	}
	if total == "*" {
		return start, -1, true
	}
	size, err = strconv.ParseInt(total, 10, 64)
	return start, size, err == nil && size > end
}

// refused returns the error for a response that is not what was asked for.
func (o *webObject) refused(resp *http.Response) error {
	e := input.Errorf(o.name, "the server answered %s", resp.Status)
	switch code := resp.StatusCode; {
	case code == http.StatusNotFound || code == http.StatusGone:
		return e.Advise("check the address")
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return e.Advise("check that the address is complete and has not expired")
	case code == http.StatusPreconditionFailed:
		return Changed(o.name)
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		return e.Err // may pass
	}
	return e
}

// Open asks for the bytes from offset on, and again where the answer breaks off.
func (o *webObject) Open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	end := o.size
	if length >= 0 && (end < 0 || offset+length < end) {
		end = offset + length
	}
	return o.web.Retry.Resume(ctx, o.name, offset, end, func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		return o.get(ctx, offset, end)
	})
}

// get returns the answer's body from offset on.
func (o *webObject) get(ctx context.Context, offset, end int64) (io.ReadCloser, error) {
	var span string
	switch {
	case !o.ranges || offset == 0 && end == o.size:
	case end >= 0:
		span = fmt.Sprintf("bytes=%d-%d", offset, end-1)
	default:
		span = fmt.Sprintf("bytes=%d-", offset)
	}
	resp, err := o.send(ctx, span)
	if err != nil {
		return nil, err
	}
	if err := o.check(resp, offset); err != nil {
		resp.Body.Close()
		return nil, err
	}
	if resp.StatusCode == http.StatusOK && offset > 0 { // all of it, where a part was asked for
		if _, err := io.CopyN(io.Discard, resp.Body, offset); err != nil {
			resp.Body.Close()
			return nil, err
		}
	}
	return resp.Body, nil
}

// check returns an error where the response is not of the object as it was found.
func (o *webObject) check(resp *http.Response, offset int64) error {
	switch resp.StatusCode {
	case http.StatusOK:
		if o.size >= 0 && resp.ContentLength >= 0 && resp.ContentLength != o.size {
			return Changed(o.name)
		}
	case http.StatusPartialContent:
		start, size, ok := parseRange(resp.Header.Get("Content-Range"))
		if !ok || start != offset {
			return input.Errorf(o.name, "the server answered with a different range than was asked for (%q)", resp.Header.Get("Content-Range")).
				Advise("download it and give the file")
		}
		if size >= 0 && size != o.size {
			return Changed(o.name)
		}
	default:
		return o.refused(resp)
	}
	if resp.Header.Get("ETag") != o.etag || o.etag == "" && resp.Header.Get("Last-Modified") != o.modified {
		return Changed(o.name)
	}
	return nil
}

// OpenAt reads with a request each.
func (o *webObject) OpenAt(ctx context.Context) (input.ReaderAtCloser, error) {
	if !o.ranges || o.size < 0 {
		return nil, errors.ErrUnsupported
	}
	return &webReaderAt{o, ctx}, nil
}

type webReaderAt struct {
	object *webObject
	ctx    context.Context
}

func (r *webReaderAt) ReadAt(p []byte, offset int64) (int, error) {
	if offset >= r.object.size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), r.object.size-offset)]
	body, err := r.object.Open(r.ctx, offset, int64(len(want)))
	if err != nil {
		return 0, err
	}
	defer body.Close()
	n, err := io.ReadFull(body, want)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (*webReaderAt) Close() error { return nil }

const maxRedirects = 10

// send asks for the object, or a span of it, along redirects.
func (o *webObject) send(ctx context.Context, span string) (*http.Response, error) {
	o.web.setup.Do(o.web.clients)
	client, at := o.web.any, o.address
	for range maxRedirects {
		resp, public, err := o.request(ctx, client, at, span)
		if err != nil {
			return nil, err
		}
		location := resp.Header.Get("Location")
		if resp.StatusCode < 300 || resp.StatusCode >= 400 || location == "" {
			return resp, nil
		}
		resp.Body.Close()
		next, err := at.Parse(location)
		if err != nil {
			return nil, input.Errorf(o.name, "the server redirects to no address")
		}
		if next.Scheme != at.Scheme {
			return nil, input.Errorf(o.name, "the server redirects from %s to %s", at.Scheme, next.Scheme).Advise("give the address that it redirects to, if you trust it")
		}
		if next.Host == at.Host && next.User == nil {
			next.User = at.User
		}
		if public {
			client = o.web.public
		}
		at = next
	}
	return nil, input.Errorf(o.name, "the server redirects more than %d times", maxRedirects)
}

// request makes one request, and reports whether a public address answered it.
func (o *webObject) request(ctx context.Context, client *http.Client, at *url.URL, span string) (_ *http.Response, public bool, _ error) {
	var remote netip.AddrPort
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		remote, _ = netip.ParseAddrPort(c.Conn.RemoteAddr().String())
	}})
	req, err := http.NewRequestWithContext(traced, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, false, input.Errorf(o.name, "is no address")
	}
	if at.Scheme == "http" {
		if err := o.plain(ctx, at); err != nil {
			return nil, false, err
		}
	}
	if span != "" {
		req.Header.Set("Range", span)
	}
	if strings.HasPrefix(o.etag, `"`) { // a weak one never matches
		req.Header.Set("If-Match", o.etag)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, false, o.explain(ctx, err)
	}
	return resp, remote.IsValid() && !o.web.isPrivate(remote.Addr().Unmap()), nil
}

// plain refuses plain HTTP to hosts that are not private, and tells of others.
func (o *webObject) plain(ctx context.Context, at *url.URL) error {
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", at.Hostname())
	if err != nil {
		return o.explain(ctx, err)
	}
	for _, a := range addresses {
		if !o.web.isPrivate(a) {
			return input.Errorf(o.name, "is plain HTTP to a public host, where anybody on the way can read and change it").Advise("use https://")
		}
	}
	if _, told := o.web.warned.LoadOrStore(at.Host, true); !told && o.web.Warn != nil {
		o.web.Warn(fmt.Sprintf("reading from %s without encryption (http://)", at.Host))
	}
	return nil
}

// explain returns what a failed request means, without the address.
func (o *webObject) explain(ctx context.Context, err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	var unknown *net.DNSError
	var uncertain *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errPrivate):
		return input.Errorf(o.name, "the server redirects from a public to a private address").Advise("give the address that it redirects to, if you trust it")
	case errors.As(err, &unknown) && unknown.IsNotFound:
		return input.Errorf(o.name, "no host has this name").Advise("check the address")
	case errors.As(err, &uncertain):
		return input.Errorf(o.name, "the server's certificate is not valid (%w)", err).Advise("check the address, or install the certificate's authority on this machine")
	}
	return err
}
