package rybbit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"hopper/pipeline"
)

// Key is an API key. Formatting one, in whatever way, never shows it.
type Key string

// Format implements [fmt.Formatter] for every verb.
func (Key) Format(f fmt.State, _ rune) { io.WriteString(f, "[key]") }

// MarshalText keeps a key out of JSON.
func (Key) MarshalText() ([]byte, error) { return []byte("[key]"), nil }

// Client calls the import endpoints of one site. It makes each call once:
// what may be repeated, and when, is decided by [Upload] and
// [Client.Patiently].
type Client struct {
	base    *url.URL
	site    string
	key     Key
	http    *http.Client
	pace    *rate.Limiter
	stall   time.Duration
	agent   string
	calls   atomic.Int64
	working atomic.Bool
	// waited is how long the last call waited for its answer, in nanoseconds
	// from the last byte of its body.
	waited atomic.Int64
	// place is where SQL is asked, once it is known, and noSQL whether the server
	// has refused it.
	place atomic.Pointer[sqlScope]
	noSQL atomic.Bool
}

// ClientOptions are the choices of a [Client]. Zero values are defaults.
type ClientOptions struct {
	// PerMinute is the greatest number of requests a minute; 0 is no limit.
	PerMinute int
	// Stall is how long a request may make no progress: while its body is
	// being written, and from its last byte to the answer. 0 is 5 minutes, since
	// a server needs many seconds for a large batch.
	Stall time.Duration
	// Version is sent in the User-Agent header.
	Version string
}

// NewClient returns a client for a site of the server at base, such as
// "https://app.rybbit.io". The site is its number or its string identifier.
func NewClient(base, site string, key Key, opt ClientOptions) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(base), "/"))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the server's address must look like https://rybbit.example.com, not %q; begin it with http:// or https://", redactURL(base, key))
	case u.User != nil:
		return nil, errors.New("the server's address must not hold a user name or password; the key alone authorizes")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the server's address must have no query or fragment: %q", redactURL(base, key))
	case u.Hostname() == "":
		return nil, fmt.Errorf("the server's address names no host: %q", redactURL(base, key))
	case site == "" && key == "":
		return nil, errors.New("no site and no API key given: use --site or RYBBIT_SITE (the number or the identifier in the site's settings), and set RYBBIT_API_KEY or use --api-key-file")
	case site == "":
		return nil, errors.New("no site given: use --site or RYBBIT_SITE (the number or the identifier in the site's settings)")
	case strings.ContainsFunc(site, notInSite):
		return nil, fmt.Errorf("%q is no site: use its number or the identifier in its settings", redactURL(site, key))
	case key == "":
		return nil, errors.New("no API key given: set RYBBIT_API_KEY or use --api-key-file")
	case strings.ContainsFunc(string(key), func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the API key holds characters that no key has (a space, a line break, a letter beyond ASCII)")
	}
	u.Path = strings.TrimSuffix(u.Path, "/api")
	// One server must not have two ledgers for being spelled in two ways.
	u.Host = strings.ToLower(u.Host)
	u.Host = strings.TrimSuffix(u.Host, map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
	c := &Client{
		base: u, site: site, key: key, stall: opt.Stall,
		agent: "hopper/" + opt.Version,
		pace:  rate.NewLimiter(rate.Inf, 1),
	}
	if c.stall == 0 {
		c.stall = 5 * time.Minute
	}
	if opt.PerMinute > 0 {
		c.pace = rate.NewLimiter(rate.Limit(float64(opt.PerMinute)/60), 1)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = true
	transport.DisableCompression = true
	transport.DialContext = dialing(transport.DialContext)
	c.http = &http.Client{
		Transport: transport,
		// A followed redirect could hand the key to another host, or turn a POST into a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

func notInSite(r rune) bool {
	return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_')
}

// redactURL returns an address as messages may show it: without key, user, query
// and fragment, also where it is no address.
func redactURL(s string, key Key) string {
	s = strings.TrimSpace(s)
	if key != "" {
		s = strings.ReplaceAll(s, string(key), "[key]")
	}
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		scheme, _, found := strings.Cut(s[:at], "://")
		s = s[at+1:]
		if found && len(scheme) <= 8 {
			s = scheme + "://…@" + s
		} else {
			s = "…@" + s
		}
	}
	if cut := strings.IndexAny(s, "?#"); cut >= 0 {
		s = s[:cut]
	}
	return pipeline.Cut(strings.ToValidUTF8(s, "\uFFFD"), 200)
}

// Plain reports whether the key travels unencrypted to a host that is not this
// machine.
func (c *Client) Plain() bool {
	host := c.base.Hostname()
	ip := net.ParseIP(host)
	return c.base.Scheme == "http" && host != "localhost" && !strings.HasSuffix(host, ".localhost") && (ip == nil || !ip.IsLoopback())
}

// Server is the server's address, as messages and the ledger show it.
func (c *Client) Server() string { return c.base.String() }

// Site is the site that the client writes to.
func (c *Client) Site() string { return c.site }

// Calls is how many requests have been made.
func (c *Client) Calls() int64 { return c.calls.Load() }

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Created is a new import.
type Created struct {
	ID string `json:"importId"`
	// Allowed is the range of days whose events the server will keep.
	Allowed struct {
		Earliest string `json:"earliestAllowedDate"`
		Latest   string `json:"latestAllowedDate"`
	} `json:"allowedDateRange"`
}

// Import is an import as the server lists it.
type Import struct {
	ID        string  `json:"importId"`
	Platform  string  `json:"platform"`
	Imported  int64   `json:"importedEvents"`
	Skipped   int64   `json:"skippedEvents"`
	Invalid   int64   `json:"invalidEvents"`
	Started   string  `json:"startedAt"`
	Completed *string `json:"completedAt"`
}

// Total is how many events of the import have landed, kept or not.
func (i Import) Total() int64 { return i.Imported + i.Skipped + i.Invalid }

// Create opens an import. An unknown platform is a [StatusError] with status 400.
func (c *Client) Create(ctx context.Context, platform string) (Created, error) {
	body, err := json.Marshal(map[string]string{"platform": platform})
	if err != nil {
		return Created{}, err
	}
	var answer struct{ Data Created }
	if err := c.call(ctx, "create an import", http.MethodPost, "", newBody(body), &answer); err != nil {
		return Created{}, err
	}
	if !IsImportID(answer.Data.ID) {
		return Created{}, &LostError{Call: "create an import", Err: errors.New("the answer names no import by a UUID")}
	}
	allowed := &answer.Data.Allowed
	allowed.Earliest, allowed.Latest = c.printable(allowed.Earliest), c.printable(allowed.Latest)
	return answer.Data, nil
}

// IsImportID reports whether text can be an import's id, which is a UUID.
func IsImportID(text string) bool {
	_, err := uuid.Parse(text)
	return err == nil && len(text) == 36
}

// ListedImports is how many imports a server lists at most, the newest of a site.
const ListedImports = 10

// Imports lists the site's imports: real servers list at most
// [ListedImports], so that absence proves nothing.
func (c *Client) Imports(ctx context.Context) ([]Import, error) {
	var answer struct{ Data *[]Import }
	if err := c.call(ctx, "list imports", http.MethodGet, "", nil, &answer); err != nil {
		return nil, err
	}
	if answer.Data == nil {
		return nil, &LostError{Call: "list imports", Err: errors.New("the answer holds no list")}
	}
	for i := range *answer.Data {
		imp := &(*answer.Data)[i]
		if !IsImportID(imp.ID) {
			return nil, &LostError{Call: "list imports", Err: errors.New("the answer has an import whose id is no UUID")}
		}
		imp.Platform, imp.Started = c.printable(imp.Platform), c.printable(imp.Started)
		if imp.Completed != nil {
			*imp.Completed = c.printable(*imp.Completed)
		}
	}
	return *answer.Data, nil
}

// Delete removes a completed import and its events.
func (c *Client) Delete(ctx context.Context, id string) error {
	return c.call(ctx, "delete an import", http.MethodDelete, "/"+url.PathEscape(id), nil, nil)
}

// Send sends the records of a batch, joined by commas, which come in parts.
func (c *Client) Send(ctx context.Context, id string, records ...[]byte) error {
	parts := make([][]byte, 0, len(records)+2)
	parts = append(append(append(parts, []byte(batchPrefix)), records...), []byte(batchSuffix))
	return c.events(ctx, "send a batch", id, newBody(parts...))
}

// Complete ends an import by an empty last batch, which may be sent again
// safely: some servers store a repeated last batch twice (RYBBIT-API, seen
// on 2.7.0).
func (c *Client) Complete(ctx context.Context, id string) error {
	return c.events(ctx, "complete the import", id, newBody([]byte(`{"events":[],"isLastBatch":true}`)))
}

// Presence is what a server answers when it is asked for one import.
type Presence uint8

const (
	Absent Presence = iota // the server knows no such import
	Open                   // it takes batches
	Ended                  // it takes none any more
)

// Probe asks for an import by an empty batch that is not the last, which changes
// nothing. It finds imports that the list is too short for.
func (c *Client) Probe(ctx context.Context, id string) (Presence, error) {
	err := c.events(ctx, "look for an import", id, newBody([]byte(batchPrefix+batchSuffix)))
	switch code := status(err); {
	case err == nil:
		return Open, nil
	case code == http.StatusBadRequest && isComplete(err), code == http.StatusConflict:
		return Ended, nil
	case code == http.StatusNotFound && !refusal(err).Foreign:
		return Absent, nil
	}
	return Absent, err
}

// ErrNoSQL is returned by a server that answers no SQL to this key: an older
// one, or a key without the right.
var ErrNoSQL = errors.New("the server answers no SQL")

// Query runs one SELECT over the table scoped_events, which holds the events of
// the site, and decodes the rows into the slice that rows points to.
func (c *Client) Query(ctx context.Context, sql string, rows any) error {
	err := c.query(ctx, sql, rows)
	if s := refusal(err); s != nil && s.Status/100 == 4 && !s.Foreign && !passing(err, c.working.Load) {
		c.noSQL.Store(true)
		return fmt.Errorf("%w: %w", ErrNoSQL, err)
	}
	return err
}

func (c *Client) query(ctx context.Context, sql string, rows any) error {
	if c.noSQL.Load() {
		return ErrNoSQL
	}
	place := c.place.Load()
	if place == nil {
		place = new(sqlScope)
		if err := c.Get(ctx, "look the site up", []string{"sites", c.site}, nil, place); err != nil {
			return err
		}
		if place.Organization == "" || place.Site == 0 {
			return ErrNoSQL
		}
		c.place.Store(place)
	}
	answer := struct {
		Data any `json:"data"`
	}{rows}
	return c.Post(ctx, "count events", []string{"organizations", place.Organization, "analytics", "query"},
		map[string]any{"query": sql, "siteId": place.Site}, &answer)
}

// sqlScope is where SQL is asked.
type sqlScope struct {
	Site         int64  `json:"siteId"`
	Organization string `json:"organizationId"`
}

const (
	batchPrefix = `{"events":[`
	batchSuffix = `],"isLastBatch":false}`
	// batchFrame is how many bytes a batch needs beside its records.
	batchFrame = len(batchPrefix) + len(batchSuffix)
)

func (c *Client) events(ctx context.Context, call, id string, body *body) error {
	return c.call(ctx, call, http.MethodPost, "/"+url.PathEscape(id)+"/events", body, nil)
}

// Turn waits until the next call may be made at once.
func (c *Client) Turn(ctx context.Context) error {
	if limit := c.pace.Limit(); limit != rate.Inf {
		missing := max(0, 1-c.pace.Tokens())
		return sleep(ctx, time.Duration(missing/float64(limit)*float64(time.Second)))
	}
	return nil
}

// identity distinguishes keys and sites without holding the key.
func (c *Client) identity() string {
	sum := sha256.Sum256([]byte(c.site + "\n" + string(c.key)))
	return hex.EncodeToString(sum[:8])
}

// call makes a call below the site's imports.
func (c *Client) call(ctx context.Context, call, method, path string, body *body, answer any) error {
	return c.request(ctx, call, method, c.base.JoinPath("api", "sites", c.site, "imports").String()+path, body, answer)
}

func (c *Client) request(ctx context.Context, call, method, u string, body *body, answer any) (err error) {
	if err := c.pace.Wait(ctx); err != nil {
		return &LostError{Call: call, Err: err, Unsent: true}
	}
	ctx, progress := newProgress(ctx, c.stall)
	defer progress.stop()
	req, err := http.NewRequestWithContext(ctx, method, u, nil)
	if err != nil {
		return err
	}
	if body != nil {
		body.progress = progress
		defer body.Close()
		req.Body = body
		req.ContentLength = int64(body.size)
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+string(c.key))
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.agent)
	c.calls.Add(1)
	defer func() { c.waited.Store(int64(time.Since(progress.last()))) }()
	resp, err := c.http.Do(req)
	if err != nil {
		return c.lost(call, progress, body, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.lost(call, progress, body, err)
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	html := media == "text/html" || bytes.HasPrefix(bytes.TrimSpace(text), []byte("<"))
	if resp.StatusCode != http.StatusOK {
		return c.refused(call, resp, text)
	}
	if html {
		return &LostError{Call: call, Err: errors.New("a web page came instead of Rybbit's answer; is there a proxy or a login in front of it?")}
	}
	if answer != nil {
		if err := json.Unmarshal(text, answer); err != nil {
			return &LostError{Call: call, Err: fmt.Errorf("the answer is no JSON that Rybbit gives: %w", c.clean(err))}
		}
	}
	c.working.Store(true)
	return nil
}

// maxAnswer bounds what is read of an answer. A list of imports takes some
// 250 bytes for each.
const maxAnswer = 16 << 20

func (c *Client) refused(call string, resp *http.Response, text []byte) error {
	e := &StatusError{Call: call, Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header, time.Now())}
	if location := resp.Header.Get("Location"); location != "" && resp.StatusCode/100 == 3 {
		if u, err := resp.Location(); err == nil {
			u.RawQuery, u.Fragment = "", ""
			e.Location = c.printable(u.Redacted())
		}
	}
	var answer struct {
		Error, Message, Required string
	}
	switch err := json.Unmarshal(text, &answer); {
	case err == nil:
		e.Message = answer.Error
		if answer.Message != "" && answer.Message != answer.Error {
			e.Message = strings.TrimPrefix(e.Message+": "+answer.Message, ": ")
		}
		if answer.Required != "" {
			e.Message += " (required: " + answer.Required + ")"
		}
		e.Message = c.printable(e.Message)
	case len(bytes.TrimSpace(text)) > 0:
		e.Foreign = true
	}
	return e
}

// printable returns a server's words as they may be shown: without the key,
// which a server could quote, and without what a terminal would obey.
func (c *Client) printable(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), string(c.key), "[key]")
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7F }), " ")
	return pipeline.Cut(text, 300)
}

// clean returns err with a text that may be shown: what reads an answer quotes it.
func (c *Client) clean(err error) error {
	if text := c.printable(err.Error()); text != err.Error() {
		return &cleanError{text, err}
	}
	return err
}

type cleanError struct {
	text string
	err  error
}

func (e *cleanError) Error() string { return e.text }
func (e *cleanError) Unwrap() error { return e.err }

func (c *Client) lost(call string, p *progress, body *body, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the URL says nothing that the call does not
	}
	if p.stalled() {
		err = fmt.Errorf("no answer within %s", c.stall)
	}
	e := &LostError{Call: call, Err: c.clean(err), Stalled: p.stalled(), Broken: !errors.Is(err, context.Canceled) && !p.stalled()}
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		e.Unsent = true
	case body != nil && body.written() < body.size:
		// The length was announced: a server never sees such a body as whole.
		e.Unsent, e.CutAt = true, body.written()
	}
	return e
}

// retryAfter reads the header in both its forms, seconds and a date (RFC 9110,
// 10.2.3). A negative result means that there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(v, 64); err == nil && seconds >= 0 && seconds < 1e9 {
		return time.Duration(seconds * float64(time.Second))
	}
	if at, err := http.ParseTime(v); err == nil {
		// The server's own clock counts, where the answer has it.
		if sent, err := http.ParseTime(h.Get("Date")); err == nil {
			now = sent
		}
		return max(0, at.Sub(now))
	}
	return -1
}

// progress ends a request that has stood still for too long.
type progress struct {
	timer  *time.Timer
	limit  time.Duration
	over   atomic.Bool
	cancel context.CancelFunc
	at     atomic.Pointer[time.Time]
}

func newProgress(ctx context.Context, limit time.Duration) (context.Context, *progress) {
	p := &progress{limit: limit}
	ctx, p.cancel = context.WithCancel(ctx)
	p.note()
	p.timer = time.AfterFunc(limit, func() {
		p.over.Store(true)
		p.cancel()
	})
	return ctx, p
}

func (p *progress) made() {
	p.timer.Reset(p.limit)
	p.note()
}

func (p *progress) note() {
	now := time.Now()
	p.at.Store(&now)
}

func (p *progress) last() time.Time { return *p.at.Load() }
func (p *progress) stalled() bool   { return p.over.Load() }
func (p *progress) stop()           { p.timer.Stop(); p.cancel() }

// maxKeyFile bounds what is read of a key file; /dev/zero has no end.
const maxKeyFile = 4 << 10

// ReadKey reads a key from a file. Loose says that other users of this machine
// can read it too.
func ReadKey(path string) (key Key, loose bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return "", false, err
	}
	key = Key(bytes.TrimSpace(text))
	switch {
	case len(text) > maxKeyFile:
		return "", false, fmt.Errorf("%s is no key file: it has more than %d bytes", path, maxKeyFile)
	case key == "":
		return "", false, fmt.Errorf("%s is empty", path)
	}
	info, err := f.Stat()
	return key, err == nil && runtime.GOOS != "windows" && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0, err
}
