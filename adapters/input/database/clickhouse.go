package database

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"
)

// clickhouse is a database of ClickHouse, asked over HTTP.
type clickhouse struct {
	base           url.URL // without a query
	database       string
	user, password string
	client         *http.Client
	plain          bool // it refuses settings
}

// newClickHouse reads an address. What it lacks comes from CLICKHOUSE_USER and
// CLICKHOUSE_PASSWORD.
func newClickHouse(u *url.URL) (engine, error) {
	e := &clickhouse{
		database: cmp.Or(strings.Trim(u.Path, "/"), "default"),
		user:     cmp.Or(u.User.Username(), os.Getenv("CLICKHOUSE_USER"), "default"), password: os.Getenv("CLICKHOUSE_PASSWORD"),
	}
	host, port := cmp.Or(u.Hostname(), "localhost"), u.Port()
	secure := u.Scheme == "clickhouses" || u.Query().Get("secure") == "true" || port == "8443"
	if port == "9000" || port == "9440" {
		return nil, fmt.Errorf("port %s is for ClickHouse's own protocol; give the port of its HTTP interface, which is 8123, or 8443 with TLS", port)
	}
	e.base = url.URL{Scheme: "http", Host: net.JoinHostPort(host, cmp.Or(port, "8123")), Path: "/"}
	if secure {
		e.base.Scheme, e.base.Host = "https", net.JoinHostPort(host, cmp.Or(port, "8443"))
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if !secure {
		transport.DialContext = dialNear
	}
	// A redirect would take the password elsewhere.
	e.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return e, nil
}

var errFar = errors.New("it is in a public network, and without TLS others could read the password and the rows; give clickhouses:// or ?secure=true")

// dialNear connects to this machine and private networks alone.
func dialNear(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	at, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if a := at.Addr().Unmap(); err == nil && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() {
		return nil, errors.Join(errFar, conn.Close())
	}
	return conn, err
}

func (e *clickhouse) identity() string { return "clickhouse " + e.base.Host + " " + e.database }

func (e *clickhouse) connect(context.Context) (session, error) { return &clickhouseSession{e}, nil }

func (e *clickhouse) close() error {
	e.client.CloseIdleConnections()
	return nil
}

func (e *clickhouse) tables(ctx context.Context, _ session) ([]table, error) {
	body, err := e.ask(ctx, "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() ORDER BY table, position FORMAT JSONCompactEachRow")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var all tableList
	for d := json.NewDecoder(body); ; {
		var row [3]string
		err := d.Decode(&row)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the answer is not ClickHouse's: %w", err)
		}
		all.add("", row[0], column{row[1], row[2]})
	}
}

func (*clickhouse) quote(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

// cell writes times in UTC, whatever the zone of the column and the server.
func (e *clickhouse) cell(c column) string {
	if strings.Contains(c.kind, "DateTime") && !strings.Contains(c.kind, "Array(") {
		return "toTimeZone(t." + e.quote(c.name) + ", 'UTC')"
	}
	return "t." + e.quote(c.name)
}

func (e *clickhouse) before(c column, t time.Time) string {
	return "t." + e.quote(c.name) + " < toDateTime('" + t.Format(time.DateTime) + "', 'UTC')"
}

var unordered = regexp.MustCompile(`^(Map|JSON|Object|Variant|Dynamic|AggregateFunction)\b`)

func (*clickhouse) sortable(c column) bool { return !unordered.MatchString(c.kind) }

// sorting makes ClickHouse sort on disk what does not fit into 1 GB.
const sorting = "max_bytes_before_external_sort=1000000000"

// ask returns the answer to a query. A GET can change nothing.
func (e *clickhouse) ask(ctx context.Context, query string) (io.ReadCloser, error) {
	at := e.base
	at.RawQuery = url.Values{"database": {e.database}, "query": {query}}.Encode()
	if !e.plain {
		at.RawQuery += "&" + sorting
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-ClickHouse-User", e.user)
	if e.password != "" {
		req.Header.Set("X-ClickHouse-Key", e.password)
	}
	resp, err := e.client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the query
		}
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 2000)) // for people
	if !e.plain && bytes.Contains(text, []byte("Code: 164.")) {
		e.plain = true // the user may change no settings
		return e.ask(ctx, query)
	}
	return nil, &clickhouseError{resp.Status, strings.TrimSpace(string(text))}
}

// clickhouseError is an answer that says what went wrong.
type clickhouseError struct{ status, text string }

func (e *clickhouseError) Error() string {
	text, _, _ := strings.Cut(e.text, "\n")
	return fmt.Sprintf("ClickHouse answers %s: %.500s", e.status, text)
}

// whyClickHouse returns what to do about an error of the server's, or "".
func whyClickHouse(err error) string {
	var answer *clickhouseError
	if !errors.As(err, &answer) {
		return ""
	}
	switch {
	case strings.HasPrefix(answer.text, "Code: 516."), strings.HasPrefix(answer.status, "401"), strings.HasPrefix(answer.text, "Code: 194."):
		return "give the user as clickhouse://USER@HOST and put the password into the environment variable CLICKHOUSE_PASSWORD"
	case strings.HasPrefix(answer.text, "Code: 497."):
		return "grant the user SELECT on the tables"
	case strings.HasPrefix(answer.text, "Code: 81."):
		return "give the database's name behind the host, as clickhouse://HOST/DATABASE"
	}
	return ""
}

type clickhouseSession struct{ *clickhouse }

func (s *clickhouseSession) clock(ctx context.Context) (time.Time, error) {
	body, err := s.ask(ctx, "SELECT toUnixTimestamp(now())")
	if err != nil {
		return time.Time{}, err
	}
	defer body.Close()
	var seconds int64
	_, err = fmt.Fscan(body, &seconds)
	return time.Unix(seconds, 0), err
}

// copy has the database write the CSV. What goes wrong after the first rows
// stands in their place, at the end.
func (s *clickhouseSession) copy(ctx context.Context, query string, w writer) error {
	body, err := s.ask(ctx, query+" FORMAT CSVWithNames")
	if err != nil {
		return err
	}
	defer body.Close()
	end := &endKeeper{w: w}
	if _, err := io.Copy(end, body); err != nil {
		return err
	}
	if message := exception.Find(end.kept); message != nil {
		return &clickhouseError{"with rows and then", string(message)}
	}
	if _, err := w.Write(end.kept); err != nil {
		return err
	}
	return w.Flush()
}

func (*clickhouseSession) close() error { return nil }

var exception = regexp.MustCompile(`(?sm)^(__exception__.*)?Code: \d+\. DB::Exception: .*`)

// endKeeper passes on all but the last 16 KiB.
type endKeeper struct {
	w    io.Writer
	kept []byte
}

func (k *endKeeper) Write(p []byte) (int, error) {
	const size = 16 << 10
	k.kept = append(k.kept, p...)
	if over := len(k.kept) - size; over > size {
		if _, err := k.w.Write(k.kept[:over]); err != nil {
			return 0, err
		}
		k.kept = append(k.kept[:0], k.kept[over:]...)
	}
	return len(p), nil
}
