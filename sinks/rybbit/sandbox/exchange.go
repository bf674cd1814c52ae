package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reply is an answer that has not been written yet.
type reply struct {
	status int
	body   any // encoded as JSON; nil for none; a string is an HTML page
	header http.Header
}

func failure(status int, text string) reply {
	return reply{status: status, body: map[string]string{"error": text}}
}

// invalid is the answer to what fits no schema.
func invalid(what string) reply {
	return reply{status: http.StatusBadRequest, body: map[string]any{"error": "Validation error", "details": what}}
}

// fastify is an error of the web framework itself, before the API is reached.
func fastify(status int, code, message string) reply {
	body := map[string]any{"statusCode": status, "error": http.StatusText(status), "message": message}
	if code != "" {
		body["code"] = code
	}
	return reply{status: status, body: body}
}

// page is what a reverse proxy answers for a server.
func page(status int) reply {
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	return reply{status: status, body: "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" +
		title + "</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"}
}

var (
	errTooLarge = errors.New("body over the limit")
	errCut      = errors.New("the connection is to be cut here")
	errClosing  = errors.New("the server is closing")
)

// body reads a request's body up to the point where a limit or a fault ends it.
type body struct {
	src   io.Reader
	read  int64
	limit int64 // more than this is errTooLarge
	cut   int64 // at this point errCut, unless negative
	err   error // what ended the reading, if not the end of the body
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.cut >= 0 {
		if b.read >= b.cut {
			b.err = errCut
			return 0, b.err
		}
		p = p[:min(int64(len(p)), b.cut-b.read)]
	}
	n, err := b.src.Read(p)
	b.read += int64(n)
	if b.read > b.limit {
		err = errTooLarge
	}
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// exchange is one request on its way.
type exchange struct {
	*Server
	w         http.ResponseWriter
	r         *http.Request
	call      Call
	site      string
	importID  string
	statistic string // the route below the site's, of a call of Stats
	faults    []Fault
	body      *body
	tooLarge  *Fault          // the fault that lowered the limit
	life      context.Context // ends when the server's process dies
	work      time.Duration   // that the server needs for the batch
	stored    int64
	status    int  // answered so far; 0 for nothing
	isCut     bool // there will be no answer
}

// ServeHTTP answers a request as Rybbit's API does, unless a fault says otherwise.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		write(w, failure(http.StatusServiceUnavailable, "The sandbox is closed"))
		return
	}
	x := &exchange{Server: s, w: w, r: r, life: s.power.life(), body: &body{src: r.Body, limit: s.opts.MaxBody, cut: -1}}
	if x.life.Err() != nil { // nothing listens, as far as a handler can play that
		x.reset()
		x.abandon()
		return
	}
	if !isHostAllowed(r) {
		write(w, failure(http.StatusMisdirectedRequest, "This sandbox answers to localhost and 127.0.0.1 alone"))
		return
	}
	if r.Method == http.MethodGet && r.URL.Path == "/" {
		s.dashboard(w, r)
		return
	}
	if r.Method == http.MethodGet && r.URL.Path == "/api/version" {
		write(w, reply{status: http.StatusOK, body: map[string]string{"version": release}})
		return
	}
	if !x.route() {
		write(w, fastify(http.StatusNotFound, "", "Route "+r.Method+":"+r.URL.Path+" not found"))
		return
	}
	// A client that stalls in the middle of its body must not keep the server open.
	stall := func() { http.NewResponseController(w).SetReadDeadline(time.Now()) }
	defer context.AfterFunc(s.closing, stall)()
	defer context.AfterFunc(x.life, stall)()
	began := time.Now()
	request := Request{Call: x.call, N: s.counts.next(x.call), Import: x.importID, Length: r.ContentLength}
	x.faults = s.faults.pick(x.call)
	if s.opts.Hook != nil {
		x.faults = append(x.faults, s.opts.Hook(request)...)
	}
	answer, err := x.run()
	switch {
	case x.body.err != nil, errors.Is(err, errClosing):
		x.reset()
	case err != nil: // the database's trouble
		answer = failure(http.StatusInternalServerError, err.Error())
	}
	// The observer comes first, so that it has seen the request when the client
	// has its answer.
	if s.opts.Observe != nil {
		seen := Exchange{Request: request, Import: x.importID, Bytes: x.body.read, Stored: x.stored,
			Status: answer.status, Faults: x.faults, Took: time.Since(began)}
		if x.isCut || x.status != 0 {
			seen.Status = x.status
		}
		s.opts.Observe(seen)
	}
	x.answer(answer)
	x.abandon()
}

// abandon ends a request that was cut where its connection cannot be taken over.
func (x *exchange) abandon() {
	if x.isCut && x.r.ProtoMajor > 1 {
		panic(http.ErrAbortHandler)
	}
}

// answer writes the answer, unless there has been one or is to be none.
func (x *exchange) answer(answer reply) {
	if !x.isCut && x.status == 0 {
		x.status = answer.status
		write(x.w, answer)
	}
}

// route reads the call and its parameters from the request's path.
func (x *exchange) route() bool {
	parts := strings.Split(strings.Trim(x.r.URL.Path, "/"), "/")
	if len(parts) < 2 || parts[0] != "api" {
		return false
	}
	if x.r.Method == http.MethodPost && len(parts) == 5 && parts[1] == "organizations" && parts[3] == "analytics" && parts[4] == "query" {
		x.call, x.site = Query, x.opts.Site
		return !x.opts.NoSQL && parts[2] == organization
	}
	if len(parts) < 3 || parts[1] != "sites" {
		return false
	}
	x.site = parts[2]
	if len(parts) > 3 && parts[3] == "imports" {
		return x.routeImports(parts[4:])
	}
	x.call, x.statistic = Stats, strings.Join(parts[3:], "/")
	_, ok := statistics[x.statistic]
	return ok && x.r.Method == http.MethodGet
}

func (x *exchange) routeImports(rest []string) bool {
	if len(rest) > 0 {
		x.importID = rest[0]
	}
	switch {
	case len(rest) == 0 && x.r.Method == http.MethodPost:
		x.call = Create
	case len(rest) == 0 && x.r.Method == http.MethodGet:
		x.call = List
	case len(rest) == 1 && x.r.Method == http.MethodDelete:
		x.call = Delete
	case len(rest) == 2 && x.r.Method == http.MethodPost && rest[1] == "events":
		x.call = Events
	default:
		return false
	}
	return true
}

// run carries the request out with its faults. An error means that the connection
// is to be cut instead of answering.
func (x *exchange) run() (reply, error) {
	ctx := context.WithoutCancel(x.r.Context()) // a batch is stored even when its client has gone
	var instead *reply
	for i := range x.faults {
		f := &x.faults[i]
		switch {
		case f.Effect == Cut && f.Above > 0, f.Effect == Status && f.Above > 0 && !f.After:
			if f.Above < x.body.limit {
				x.body.limit, x.tooLarge = f.Above, f
			}
		case f.Effect == Cut:
			at := f.At
			if f.AtPercent > 0 {
				at = x.r.ContentLength * int64(f.AtPercent) / 100
			}
			if x.body.cut < 0 || at < x.body.cut {
				x.body.cut = max(at, 0)
			}
		case f.Effect == Status && !f.After && instead == nil:
			answer := x.faulty(f)
			instead = &answer
		case f.Effect == Complete && !f.After, f.Effect == Expire && !f.After, f.Effect == Gone && !f.After:
			if err := x.meddle(ctx, f.Effect); err != nil {
				return reply{}, err
			}
		case f.Effect == Restart && !f.After && f.Above == 0:
			x.power.die(f.For)
			return reply{}, errClosing
		}
	}
	if x.body.cut >= 0 {
		if _, err := io.Copy(io.Discard, x.body); err != nil {
			return reply{}, err
		}
		x.body.err = errCut // the body was shorter
		return reply{}, errCut
	}
	if x.r.ContentLength > x.body.limit {
		return x.refuseSize()
	}
	if instead != nil {
		return *instead, x.drain()
	}
	answer, err := x.handle(ctx)
	switch {
	case errors.Is(x.body.err, errTooLarge):
		return x.refuseSize()
	case err != nil:
		return reply{}, err
	}
	if err := x.drain(); err != nil {
		return reply{}, err
	}
	return x.after(ctx, answer)
}

// after applies the faults that come when the request has been carried out.
func (x *exchange) after(ctx context.Context, answer reply) (reply, error) {
	replaced := false
	for i := range x.faults {
		f := &x.faults[i]
		switch {
		case f.Effect == Complete && f.After, f.Effect == Expire && f.After, f.Effect == Gone && f.After:
			if err := x.meddle(ctx, f.Effect); err != nil {
				return reply{}, err
			}
		case f.Effect == Abort:
			if err := x.meddle(ctx, Gone); err != nil {
				return reply{}, err
			}
			x.stored = 0
			answer = failure(http.StatusInternalServerError, "Import was aborted because its progress could not be recorded")
		case f.Effect == Status && f.After && !replaced && f.isAbove(x.body.read):
			answer, replaced = x.faulty(f), true
		}
	}
	for _, f := range x.faults {
		switch f.Effect {
		case Late:
			if !x.wait(f) {
				return reply{}, errClosing
			}
		case Lost:
			x.reset()
		case Restart:
			if f.After && f.isAbove(x.body.read) {
				x.power.die(f.For)
				return reply{}, errClosing
			}
		}
	}
	return answer, nil
}

// ready is called when the request has been read and is about to be carried out.
// It returns with the server's one thread, which release gives back.
func (x *exchange) ready() (release func(), err error) {
	if err := x.delay(); err != nil {
		return nil, err
	}
	if x.opts.Pace == 0 {
		return func() {}, nil
	}
	select {
	case x.thread <- struct{}{}:
	case <-x.closing.Done():
		return nil, errClosing
	case <-x.life.Done():
		return nil, errClosing
	}
	release = func() { <-x.thread }
	if !x.wait(Fault{For: x.work}) {
		release()
		return nil, errClosing
	}
	return release, nil
}

// delay applies the faults that come before the request is carried out.
func (x *exchange) delay() error {
	for _, f := range x.faults {
		switch {
		case f.Effect == Restart && !f.After && f.isAbove(x.body.read):
			x.power.die(f.For)
			return errClosing
		case f.Effect == Lost && f.waits():
			x.reset()
		case f.Effect == Status && f.After && f.waits() && f.isAbove(x.body.read):
			x.answer(x.faulty(&f))
			http.NewResponseController(x.w).Flush()
		case f.Effect != Slow:
			continue
		}
		if !x.wait(f) {
			return errClosing
		}
	}
	return nil
}

// wait waits for the fault's time, and reports false when the server ends first.
func (x *exchange) wait(f Fault) bool {
	var over <-chan time.Time
	if f.Until == nil {
		timer := time.NewTimer(f.For)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-f.Until:
	case <-x.closing.Done():
		return false
	case <-x.life.Done():
		return false
	}
	return true
}

// isHitBy reports whether one of the request's faults has that effect.
func (x *exchange) isHitBy(effect Effect) bool {
	return slices.ContainsFunc(x.faults, func(f Fault) bool { return f.Effect == effect })
}

// faulty is the answer that a fault gives.
func (x *exchange) faulty(f *Fault) reply {
	answer := failure(f.Code, http.StatusText(f.Code))
	switch {
	case f.HTML:
		answer = page(f.Code)
	case f.Code == http.StatusOK:
		answer = reply{status: f.Code}
	case f.Code == http.StatusRequestEntityTooLarge:
		answer = fastify(f.Code, "FST_ERR_CTP_BODY_TOO_LARGE", "Request body is too large")
	}
	if f.Retry != 0 {
		answer.header = x.retryAfter(max(f.Retry, 0), f.RetryAsDate)
	}
	return answer
}

func (x *exchange) retryAfter(wait time.Duration, asDate bool) http.Header {
	value := strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
	if asDate {
		value = x.opts.Now().Add(wait + time.Second - 1).UTC().Format(http.TimeFormat)
	}
	return http.Header{"Retry-After": {value}}
}

// refuseSize refuses a body that is over the limit.
func (x *exchange) refuseSize() (reply, error) {
	if f := x.tooLarge; f != nil && f.Effect == Cut || f == nil && x.old {
		if x.body.err == nil { // its length was announced: let a part of it come
			at := x.body.limit
			if f == nil {
				at = min(at, 1<<20)
			} else if f.At > 0 {
				at = f.At
			}
			x.body.cut = at
			_, err := io.Copy(io.Discard, x.body)
			return reply{}, err
		}
		return reply{}, errTooLarge
	}
	x.body.err = nil
	if err := x.drain(); err != nil {
		return reply{}, err
	}
	if x.tooLarge != nil {
		return x.faulty(x.tooLarge), nil
	}
	return x.faulty(&Fault{Code: http.StatusRequestEntityTooLarge, HTML: x.opts.ProxyHTML}), nil
}

// drain reads the rest of the body, so that a reset does not destroy an early
// answer. A client that asked whether to send its body need not send it.
func (x *exchange) drain() error {
	if x.body.read == 0 && strings.EqualFold(x.r.Header.Get("Expect"), "100-continue") {
		return nil
	}
	x.body.limit = 1 << 62 // the answer is known, whatever the size
	_, err := io.Copy(io.Discard, x.body)
	return err
}

// reset ends the connection without an answer, abruptly.
func (x *exchange) reset() {
	if x.isCut {
		return
	}
	x.isCut = true
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil { // HTTP/2: the handler ends with a panic, which resets the stream
		return
	}
	abort(conn)
}

func write(w http.ResponseWriter, answer reply) {
	var content []byte
	switch b := answer.body.(type) {
	case nil:
	case string:
		w.Header().Set("Content-Type", "text/html")
		content = []byte(b)
	default:
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(b); err != nil {
			panic(fmt.Sprintf("sandbox: encode an answer: %v", err))
		}
		content = bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	}
	for name, values := range answer.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(answer.status)
	w.Write(content)
}
