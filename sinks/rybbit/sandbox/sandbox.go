package sandbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Options choose the server that the sandbox plays. The zero value is a self-hosted
// server of the newest release, whose database Close removes.
type Options struct {
	// Path is the database file, created when missing. Empty means a temporary
	// one, removed by Close.
	Path string
	// Key is the API key that may do everything, default "sandbox".
	Key string
	// Scopes, if not nil, are what the key may do: some of sites:write, sites:read,
	// analytics:read, sessions:read, users:read, events:read and sql:read.
	Scopes []string
	// QuotedIntegers lets the SQL route answer integers as strings, as ClickHouse
	// does by some settings.
	QuotedIntegers bool
	// NoSQL plays a server from before the SQL route: it answers 404.
	NoSQL bool
	// ReadKey, if set, is a second key that may list imports and nothing else.
	ReadKey string
	// Site is the only site of the server, a number or a string identifier,
	// default "1". Imports that a database holds of other sites answer 400.
	Site string
	// Platforms are those known to this server. Default: all five, or what the
	// release knows. The oldest servers knew "umami" alone.
	Platforms []string
	// Release is the version to play: "" for the newest, "2.7" for 2.7.0, which
	// stores a batch after completion and a repeated last batch again, answers
	// 403 for a wrong key, lets several imports be open,
	// and resets the connection while a body over the limit is being sent.
	Release string
	// Cloud completes an import two hours after its start.
	Cloud bool
	// MaxBody is the largest request body in bytes, default 50,000,000, and 50 MiB
	// in 2.7.
	MaxBody int64
	// ProxyHTML answers a body over the limit as a reverse proxy does: 413 with
	// an HTML page.
	ProxyHTML bool
	// Earliest is the first allowed day; events before it are skipped. Default
	// 1970-01-01.
	Earliest time.Time
	// MonthlyQuota, if set, is the number of events that may be stored of a
	// calendar month (UTC); the ones beyond are skipped.
	MonthlyQuota int64
	// Budget, if set, is the number of requests a key may make per Window
	// (default 24 hours). A request over it is answered by 429, with Retry-After
	// except in 2.7.
	Budget int
	Window time.Duration
	// Pace makes the server take the time that a real one took for a batch,
	// times its value: 1 is as slow, 0.1 ten times as fast, 0 as fast as the
	// sandbox is. Meanwhile no other request is carried out, since a real
	// server has one thread.
	Pace float64
	// Faults are the faults that hit requests; see [ParseFaults].
	Faults []Fault
	// Hook, if set, returns more faults for each request. Several goroutines
	// call it when requests overlap.
	Hook func(Request) []Fault
	// Observe, if set, is called with each request that is over. Several
	// goroutines call it when requests overlap.
	Observe func(Exchange)
	// Now is the server's clock, default time.Now.
	Now func() time.Time
}

// Request is a request that has arrived, as [Options.Hook] sees it. The body has
// not been read.
type Request struct {
	Call   Call
	N      int    // counts the requests of this call from 1, since the server was opened
	Import string // as in the path; empty for create and list
	Length int64  // the Content-Length, -1 if unknown
}

// Exchange is a request that is over, as [Options.Observe] sees it.
type Exchange struct {
	Request
	Import string        // the import of the path, or the one that was created
	Bytes  int64         // of the body, as far as it was read
	Stored int64         // events that this request added to the counters
	Status int           // the answer; 0 when the connection was cut instead
	Faults []Fault       // those that hit the request
	Took   time.Duration // of the real clock
}

// Server is the sandbox: an [http.Handler] to serve at the root of an address.
// Its methods may be called at any time by any goroutine.
type Server struct {
	opts      Options
	old       bool // plays release 2.7
	db        *sql.DB
	readOnly  *sql.DB // for the SQL route
	instance  string
	temporary string // the directory to remove at the end

	mu      sync.Mutex // held while something is being changed in the database
	faults  faultSet
	counts  counts
	limiter limiter
	history history
	power   power
	thread  chan struct{} // holds a value while Pace keeps the server busy

	closing context.Context // ends the waits of faults
	cancel  context.CancelFunc
	gate    sync.RWMutex // held for reading by each request, for writing to close
	closed  bool
}

// wireFormats are the wire formats by platform.
var wireFormats = map[string]format{
	"umami": umami, "simple_analytics": simpleAnalytics, "plausible": plausible, "matomo": matomo, "posthog": posthog,
}

// platformOrder is the order in which Rybbit learned its platforms.
var platformOrder = []string{"umami", "simple_analytics", "plausible", "matomo", "posthog"}

// Open starts a server on its database. Imports that the database holds go on
// where they were.
func Open(ctx context.Context, opts Options) (*Server, error) {
	s := &Server{thread: make(chan struct{}, 1), old: opts.Release == "2.7" || opts.Release == "2.7.0"}
	if !s.old && opts.Release != "" {
		return nil, fmt.Errorf("sandbox: release %q is not known: leave it empty for the newest, or say 2.7", opts.Release)
	}
	orDefault(&opts.Key, "sandbox")
	orDefault(&opts.Site, "1")
	if s.old {
		orDefault(&opts.MaxBody, 50<<20)
	}
	orDefault(&opts.MaxBody, 50_000_000)
	orDefault(&opts.Window, 24*time.Hour)
	orDefault(&opts.Earliest, time.Unix(0, 0))
	opts.Earliest = opts.Earliest.UTC().Truncate(24 * time.Hour)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if len(opts.Platforms) == 0 {
		opts.Platforms = platformOrder
		if s.old {
			opts.Platforms = platformOrder[:3]
		}
	}
	for _, p := range opts.Platforms {
		if !slices.Contains(platformOrder, p) {
			return nil, fmt.Errorf("sandbox: platform %q is not known: expected some of %v", p, platformOrder)
		}
	}
	if opts.Path == "" {
		dir, err := os.MkdirTemp("", "hopper-sandbox-")
		if err != nil {
			return nil, fmt.Errorf("sandbox: temporary database: %w", err)
		}
		s.temporary = dir
		opts.Path = filepath.Join(dir, "sandbox.db")
	}
	s.opts = opts
	s.closing, s.cancel = context.WithCancel(context.Background())
	var err error
	if err = registerFunctions(); err == nil {
		s.db, s.readOnly, s.instance, err = openDB(ctx, opts.Path)
	}
	if err != nil {
		if s.temporary != "" {
			err = errors.Join(err, os.RemoveAll(s.temporary))
		}
		return nil, err
	}
	imports, err := allImports(ctx, s.db, opts.Site)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.history.begin(imports)
	s.faults.set(opts.Faults)
	return s, nil
}

func orDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// Close ends the server and its database, and removes a temporary one. It waits
// for requests that are storing; those that a fault keeps waiting are cut off and
// not stored, as if the server had been killed.
func (s *Server) Close() error {
	s.cancel()
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := errors.Join(s.readOnly.Close(), s.db.Close())
	if s.temporary != "" {
		err = errors.Join(err, os.RemoveAll(s.temporary))
	}
	return err
}

// DB is the database, to be queried. The package comment describes its tables.
func (s *Server) DB() *sql.DB { return s.db }

// Path is the database's file.
func (s *Server) Path() string { return s.opts.Path }

// Instance is a random id made with the database: a server opened on the same
// file has the same, any other has another.
func (s *Server) Instance() string { return s.instance }

// SetFaults replaces the faults; they count requests from here on.
func (s *Server) SetFaults(faults ...Fault) { s.faults.set(faults) }

// counts numbers the requests of each call.
type counts struct {
	mu sync.Mutex
	n  map[Call]int
}

func (c *counts) next(call Call) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[Call]int)
	}
	c.n[call]++
	return c.n[call]
}

// limiter counts requests in windows that begin with the first request.
type limiter struct {
	mu    sync.Mutex
	start time.Time
	used  int
}

// take reports how long to wait; zero means the request is within the budget.
func (l *limiter) take(now time.Time, budget int, window time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.used == 0 || !now.Before(l.start.Add(window)) {
		l.start, l.used = now, 0
	}
	if l.used >= budget {
		return l.start.Add(window).Sub(now)
	}
	l.used++
	return 0
}
