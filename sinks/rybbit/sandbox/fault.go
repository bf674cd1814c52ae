package sandbox

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Call names one of the API's endpoints, or a group of them.
type Call string

// The calls. The zero value stands for any of them.
const (
	Any    Call = ""
	Create Call = "create"
	Events Call = "events"
	List   Call = "list"
	Delete Call = "delete"
	Stats  Call = "stats" // all routes that read statistics or the site
	Query  Call = "query" // SQL
)

// Effect is what a [Fault] does to a request.
type Effect string

// The effects. The brackets name the fields of [Fault] that an effect reads.
const (
	// Status answers with a status of its own [Code, After, Above, HTML, Retry,
	// RetryAsDate]. After with a wait answers as soon as the body has been read,
	// waits, and carries the request out only then, as behind a proxy whose time
	// is over [For, Until].
	Status Effect = "status"
	// Cut resets the connection while the body is being received; nothing of
	// the request is carried out [At, AtPercent, Above].
	Cut Effect = "cut"
	// Lost carries the request out and then resets the connection, so that the
	// answer is lost. With a wait it resets the connection as soon as the body
	// has been read, waits, and carries the request out only then [For, Until].
	Lost Effect = "lost"
	// Slow waits, then carries the request out, even when the client has gone,
	// and answers [For, Until].
	Slow Effect = "slow"
	// Late carries the request out, waits, and answers [For, Until].
	Late Effect = "late"
	// Complete closes the import, as another client or Rybbit Cloud's two hours
	// would [After].
	Complete Effect = "complete"
	// Expire takes the import's lease, as another import does after 15 minutes
	// of silence [After].
	Expire Effect = "expire"
	// Gone deletes the import and its events, as another client would [After].
	Gone Effect = "delete"
	// Abort answers 500 "Import was aborted…"; the import and its events are gone.
	Abort Effect = "abort"
	// Uncounted stores a batch, fails to count it and answers 500: the import's
	// counters stay as they were.
	Uncounted Effect = "uncounted"
	// Lag answers a list as it was some time ago by the server's clock, as from
	// a replica that is behind; imports of this run of the server alone, since
	// the past of others is not known. With Counters the list is the present
	// one and only the counters are old [For, Counters].
	Lag Effect = "lag"
	// Empty answers a list without imports. With a wait it does so for that time
	// from the first request on, whatever Last is [For].
	Empty Effect = "empty"
	// Restart ends the server's process: it resets all connections, does not
	// store the requests under way, and refuses connections until the time is
	// over. It comes before the request is carried out, or after. With Above
	// only a body of more bytes causes it, as one that does not fit into the
	// server's heap does [For, After, Above].
	Restart Effect = "restart"
)

// Fault is one thing that goes wrong with some requests.
//
// Call and the selectors choose the requests. The requests of a call are counted
// from 1, beginning when the server was opened or the fault was set. Without a
// selector the fault hits all of them. A Fault that [Options.Hook] returns hits
// its request whatever these fields say.
type Fault struct {
	Call Call
	// First and Last are the first and the last request hit; Last 0 means no end.
	First, Last int
	// Every hits every n-th request, with n its value.
	Every int
	// Percent hits with this probability, drawn in the order of the requests
	// from a generator seeded with Seed.
	Percent float64
	Seed    uint64

	Effect Effect
	// Code is the status to answer with.
	Code int
	// After lets the request be carried out first.
	After bool
	// Above limits the effect to bodies of more bytes than its value. The bytes
	// beyond are not kept.
	Above int64
	// HTML answers with a proxy's page instead of JSON.
	HTML bool
	// Retry adds a Retry-After header, in seconds (rounded up) or, with
	// RetryAsDate, as an HTTP date. A negative value sends zero seconds.
	Retry       time.Duration
	RetryAsDate bool
	// At and AtPercent place a Cut: after that many bytes of the body, or after
	// that share of its Content-Length. With both zero it happens before the
	// body is read, or with Above, as soon as the body is longer.
	At        int64
	AtPercent int
	// Counters makes a Lag one of the counters alone.
	Counters bool
	// For is how long to wait, or how long the effect lasts or lags. Until, for
	// tests, waits for the channel's closing instead.
	For   time.Duration
	Until <-chan struct{}
}

// ParseFaults reads faults as `hopper sandbox --fault` takes them. A spec is one
// or more of these, separated by semicolons:
//
//	CALL[@WHEN]=EFFECT[,OPTION]...
//
// CALL is create, events, list, delete, stats (all statistics), query (SQL) or any. WHEN counts that call's requests
// from 1: "3" is the third, "3-5" the third to the fifth, "3-" the third and all
// after it, "/4" every fourth, "10%" one in ten at random, "10%#42" the same with
// the seed 42. Without WHEN the fault hits every request of the call.
//
//	EFFECT     OPTIONs              meaning
//	400…599    after                answer so, instead of (or after) carrying it out
//	or 200     after,for=5s         …answer so at once, and carry it out later
//	           html                 …as a proxy's HTML page
//	           retry=30s            …with Retry-After in seconds
//	           retry-date=30s       …with Retry-After as a date
//	           above=1MB            …only to a body of more bytes (try with 413)
//	cut        at=64KB, at=50%      reset the connection: before the body, or after so much of it
//	           above=1MB            …only when the body is longer
//	lost       for=5s               carry it out, then reset; with for: reset, wait, carry it out
//	slow       for=30s              wait, carry it out (even when the client has gone), answer
//	late       for=30s              carry it out, wait, answer
//	complete   after                the import is closed before (or after) the request
//	expire     after                the import's lease is taken before (or after) the request
//	delete     after                the import is deleted before (or after) the request
//	abort                           500 "Import was aborted…", and the import is gone
//	uncounted                       store the batch, leave the counters as they were, answer 500
//	lag        for=8s               the list as it was 8 seconds ago
//	           counters             …its counters only
//	empty      for=5s               a list without imports; with for: for that time
//	restart    for=5s               reset all connections, then refuse new ones for that time
//	           after                …when the request has been carried out
//	           above=10MB           …only for a body of more bytes: the server's heap is full
//
// Sizes are in bytes or with KB, MB (thousands) or KiB, MiB; durations as in Go.
// Several faults may hit one request; of two answers the first given wins.
func ParseFaults(spec string) ([]Fault, error) {
	var faults []Fault
	for one := range strings.SplitSeq(spec, ";") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		f, err := parseFault(one)
		if err != nil {
			return nil, fmt.Errorf("fault %q: %w (expected CALL[@WHEN]=EFFECT[,OPTION]..., as in events@2=lost or create@1=429,retry=30s)", one, err)
		}
		faults = append(faults, f)
	}
	return faults, nil
}

func parseFault(s string) (f Fault, err error) {
	target, what, ok := strings.Cut(s, "=")
	if !ok {
		return f, fmt.Errorf("has no effect")
	}
	call, when, hasWhen := strings.Cut(target, "@")
	switch c := Call(call); {
	case call == "any":
	case c == Create, c == Events, c == List, c == Delete, c == Stats, c == Query:
		f.Call = c
	default:
		return f, fmt.Errorf("unknown call %q", call)
	}
	if hasWhen {
		if err := f.parseWhen(when); err != nil {
			return f, err
		}
	}
	parts := strings.Split(what, ",")
	allowed := map[Effect]string{
		Status: "after for html retry retry-date above", Cut: "at above", Lost: "for", Slow: "for", Late: "for",
		Complete: "after", Expire: "after", Gone: "after", Abort: "", Uncounted: "",
		Lag: "for counters", Empty: "for", Restart: "for after above",
	}
	f.Effect = Effect(parts[0])
	if code, err := strconv.Atoi(parts[0]); err == nil {
		if code != 200 && (code < 400 || code > 599) {
			return f, fmt.Errorf("status %d is neither 200 nor 400 to 599", code)
		}
		f.Effect, f.Code = Status, code
	} else if _, known := allowed[f.Effect]; !known || f.Effect == Status {
		return f, fmt.Errorf("unknown effect %q", parts[0])
	}
	for _, option := range parts[1:] {
		name, value, hasValue := strings.Cut(option, "=")
		isFlag := name == "after" || name == "html" || name == "counters"
		if !contains(allowed[f.Effect], name) || hasValue == isFlag {
			return f, fmt.Errorf("unknown option %q of %s", option, parts[0])
		}
		if err := f.parseOption(name, value); err != nil {
			return f, fmt.Errorf("option %s: %w", option, err)
		}
	}
	if f.Effect == Status && f.For > 0 && !f.After {
		return f, fmt.Errorf("option for needs the option after")
	}
	return f, nil
}

func (f *Fault) parseOption(name, value string) (err error) {
	switch name {
	case "after":
		f.After = true
	case "html":
		f.HTML = true
	case "counters":
		f.Counters = true
	case "retry", "retry-date":
		f.RetryAsDate = name == "retry-date"
		if f.Retry, err = time.ParseDuration(value); f.Retry == 0 {
			f.Retry = -1
		}
	case "above":
		f.Above, err = parseSize(value)
	case "at":
		if share, ok := strings.CutSuffix(value, "%"); ok {
			f.AtPercent, err = strconv.Atoi(share)
		} else {
			f.At, err = parseSize(value)
		}
	case "for":
		f.For, err = time.ParseDuration(value)
	}
	return err
}

func contains(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}

func (f *Fault) parseWhen(when string) (err error) {
	bad := fmt.Errorf("cannot read %q as a time: expected 3, 3-5, 3-, /4, 10%% or 10%%#42", when)
	if every, ok := strings.CutPrefix(when, "/"); ok {
		if f.Every, err = strconv.Atoi(every); err != nil || f.Every < 1 {
			return bad
		}
		return nil
	}
	if share, seed, ok := strings.Cut(when, "%"); ok {
		if f.Percent, err = strconv.ParseFloat(share, 64); err != nil || !(f.Percent > 0 && f.Percent <= 100) {
			return bad
		}
		if seed == "" {
			return nil
		}
		digits, ok := strings.CutPrefix(seed, "#")
		if f.Seed, err = strconv.ParseUint(digits, 10, 64); err != nil || !ok {
			return bad
		}
		return nil
	}
	first, last, isRange := strings.Cut(when, "-")
	if f.First, err = strconv.Atoi(first); err != nil || f.First < 1 {
		return bad
	}
	switch {
	case !isRange:
		f.Last = f.First
	case last != "":
		if f.Last, err = strconv.Atoi(last); err != nil || f.Last < f.First {
			return bad
		}
	}
	return nil
}

func parseSize(s string) (int64, error) {
	unit := int64(1)
	digits := s
	for _, u := range []struct {
		name string
		size int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"KB", 1e3}, {"MB", 1e6}, {"B", 1}} {
		if d, ok := strings.CutSuffix(s, u.name); ok {
			digits, unit = d, u.size
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 40)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("cannot read %q as a size, as in 64KB", s)
	}
	return n * unit, nil
}

// faultSet picks the faults of each request.
type faultSet struct {
	mu     sync.Mutex
	faults []Fault
	seen   []int
	since  []time.Time // of the first request hit
	draws  []*rand.Rand
}

func (s *faultSet) set(faults []Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.seen, s.draws = faults, make([]int, len(faults)), make([]*rand.Rand, len(faults))
	s.since = make([]time.Time, len(faults))
	for i, f := range faults {
		s.draws[i] = rand.New(rand.NewPCG(f.Seed, f.Seed))
	}
}

// waits reports whether f is given a time to wait.
func (f *Fault) waits() bool { return f.For > 0 || f.Until != nil }

// isAbove reports whether f hits a body of size bytes.
func (f *Fault) isAbove(size int64) bool { return f.Above == 0 || size > f.Above }

// pick returns the faults that hit the next request of call.
func (s *faultSet) pick(call Call) []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var hit []Fault
	for i, f := range s.faults {
		if f.Call != Any && f.Call != call {
			continue
		}
		s.seen[i]++
		n := s.seen[i]
		if f.Effect == Empty && f.For > 0 && !s.since[i].IsZero() {
			if time.Since(s.since[i]) < f.For {
				hit = append(hit, f)
			}
			continue
		}
		if n < f.First || f.Last > 0 && n > f.Last || f.Every > 0 && n%f.Every != 0 ||
			f.Percent > 0 && s.draws[i].Float64()*100 >= f.Percent {
			continue
		}
		if s.since[i].IsZero() {
			s.since[i] = time.Now()
		}
		hit = append(hit, f)
	}
	return hit
}
