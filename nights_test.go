package hopper_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"hopper"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/sandbox"
)

// TestThirtyNights lets a month pass, in which each night what has arrived is
// imported: days' tables of Google Analytics, some late and some changed within
// three days, or files of Umami with a table of sessions that grows. Runs are
// killed at any request, before or after the server has carried it out, and
// volumes are lost. In the end each event is there once.
//
// HOPPER_NIGHTS is how many months pass, each from another seed.
func TestThirtyNights(t *testing.T) {
	seeds, _ := strconv.Atoi(os.Getenv("HOPPER_NIGHTS"))
	if seeds == 0 {
		seeds = 8
	}
	var all tally
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := newMonth(t, uint64(seed))
			for m.night = 0; m.night < 30; m.night++ {
				m.arrive()
				m.importAll()
				m.disaster()
			}
			m.night += 5
			m.arrive() // what is still late
			m.importAll()
			m.check()
			all.add(m.tally)
		})
	}
	t.Logf("%d months: %+v", seeds, all)
}

// tally counts what happened.
type tally struct{ runs, kills, late, changed, replaced, lost, deletedByHand, events int }

func (t *tally) add(o tally) {
	t.runs, t.kills, t.late, t.changed = t.runs+o.runs, t.kills+o.kills, t.late+o.late, t.changed+o.changed
	t.replaced, t.lost, t.deletedByHand, t.events = t.replaced+o.replaced, t.lost+o.lost, t.deletedByHand+o.deletedByHand, t.events+o.events
}

// month is a world.
type month struct {
	*testing.T
	tally
	rng    *rand.Rand
	night  int
	umami  bool
	server *sandbox.Server
	put    func(name string, content []byte)
	where  string // what is given each night
	state  string
	sql    bool
	// due are the nights on which a unit arrives, or changes.
	due map[int][]int
	// events are how many each unit that has arrived holds.
	events map[int]int
	// before is the state as it was a night ago; empty where an import has been
	// replaced since.
	before string
}

func newMonth(t *testing.T, seed uint64) *month {
	m := &month{T: t, rng: rand.New(rand.NewPCG(seed, 15)), umami: seed%3 == 2, sql: seed%5 != 4, state: t.TempDir(), due: map[int][]int{}, events: map[int]int{}}
	var err error
	if m.server, err = sandbox.Open(t.Context(), sandbox.Options{Path: filepath.Join(t.TempDir(), "rybbit.db"), NoSQL: !m.sql}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.server.Close() })
	if seed%2 == 0 {
		m.where = t.TempDir()
		m.put = func(name string, content []byte) {
			if err := os.WriteFile(filepath.Join(m.where, name), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	} else {
		m.where = "s3://exports/nightly/"
		backend := bucket(t)
		m.put = func(name string, content []byte) {
			if _, err := backend.PutObject("exports", "nightly/"+name, nil, bytes.NewReader(content), int64(len(content)), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	every := 1
	if m.umami {
		every = 5
	}
	for unit := 0; unit < 30; unit += every {
		at := unit + every - 1
		if m.rng.IntN(5) == 0 {
			at += 1 + m.rng.IntN(4)
			m.late++
		}
		m.due[at] = append(m.due[at], unit)
		if m.rng.IntN(6) == 0 {
			later := at + 1 + m.rng.IntN(3)
			m.due[later] = append(m.due[later], unit)
			m.changed++
		}
	}
	return m
}

// bucket starts a store of s3:// addresses.
func bucket(t *testing.T) *s3mem.Backend {
	backend := s3mem.New()
	if err := backend.CreateBucket("exports"); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	web.Start()
	t.Cleanup(web.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_S3": web.URL, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-central-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	return backend
}

// arrive puts down what is due: a unit that is there already has grown.
func (m *month) arrive() {
	arrived := false
	for _, night := range slices.Sorted(maps.Keys(m.due)) {
		if night > m.night {
			continue
		}
		for _, unit := range m.due[night] {
			m.events[unit] += 2 + m.rng.IntN(4)
			arrived = true
			if m.umami {
				m.put(fmt.Sprintf("events-%02d.csv", unit), m.umamiFile(unit))
			} else {
				m.put(fmt.Sprintf("events_202403%02d.ndjson", unit+1), m.table(unit))
			}
		}
		delete(m.due, night)
	}
	if arrived && m.umami {
		m.put("session.csv", m.sessions())
	}
}

func (m *month) table(unit int) []byte {
	var b bytes.Buffer
	for i := range m.events[unit] {
		at := time.Date(2024, 3, unit+1, 8, i, 0, 0, time.UTC)
		fmt.Fprintf(&b, `{"event_date":"202403%02d","event_timestamp":"%d","event_name":"page_view","user_pseudo_id":"%d.1",`+
			`"event_params":[{"key":"page_location","value":{"string_value":"https://a.example/%d/%d"}},{"key":"ga_session_id","value":{"int_value":"%d"}}]}`+"\n",
			unit+1, at.UnixMicro(), unit, unit, i, unit+1)
	}
	return b.Bytes()
}

func (m *month) umamiFile(unit int) []byte {
	var b bytes.Buffer
	b.WriteString("session_id,visit_id,created_at,url_path,url_query,referrer_domain,page_title,event_type,event_name\n")
	for i := range m.events[unit] {
		at := time.Date(2024, 3, unit+1, 8, i, 0, 0, time.UTC)
		fmt.Fprintf(&b, "11111111-0000-4000-8000-%012d,aaaaaaaa-0000-4000-8000-%012d,%s,/%d/%d,,,T,1,\n", unit, unit, at.Format(time.DateTime), unit, i)
	}
	return b.Bytes()
}

func (m *month) sessions() []byte {
	var b bytes.Buffer
	b.WriteString("session_id,website_id,browser,os,device,screen,language,country,region,city,distinct_id,created_at\n")
	for _, unit := range slices.Sorted(maps.Keys(m.events)) {
		fmt.Fprintf(&b, "11111111-0000-4000-8000-%012d,e2dbf597-9d3a-562b-88f1-5ef3d2e4df79,chrome,Windows 10,desktop,1920x1080,de-DE,DE,DE-BY,Berlin,,2024-03-01 08:00:00\n", unit)
	}
	return b.Bytes()
}

// importAll runs until a run is not killed.
func (m *month) importAll() {
	if len(m.events) == 0 {
		return
	}
	for kills := 0; ; {
		at := 0
		if kills < 4 && m.rng.IntN(3) > 0 {
			at = 1 + m.rng.IntN(30)
		}
		err, killed := m.run(at)
		var stranger *rybbit.StrangerError
		switch {
		case killed:
			kills++
			m.kills++
		case errors.As(err, &stranger):
			if m.lost == 0 {
				m.Fatalf("night %d: %v", m.night, err)
			}
			m.deleteByHand(stranger)
		case err != nil:
			m.Fatalf("night %d: %v", m.night, err)
		default:
			return
		}
	}
}

// run imports what is new. At is the number of the request at which the process
// is killed; 0 is never.
func (m *month) run(at int) (err error, killed bool) {
	m.runs++
	drops := 0
	if m.rng.IntN(3) == 0 {
		drops = 3 + m.rng.IntN(20)
	}
	ctx, cancel := context.WithCancel(m.Context())
	defer cancel()
	door := &door{server: m.server, at: at, drops: drops, after: m.rng.IntN(2) == 0, state: m.state, next: m.TempDir(), kill: cancel}
	web := httptest.NewServer(door)
	defer web.Close()
	client, err := rybbit.NewClient(web.URL, "1", "sandbox", rybbit.ClientOptions{})
	if err != nil {
		m.Fatal(err)
	}
	defer client.Close()
	export, err := hopper.Open(ctx, []string{m.where}, hopper.Options{Jobs: 1})
	if err != nil {
		m.Fatal(err)
	}
	defer export.Close()
	result, err := export.Import(ctx, hopper.Import{
		Client: client, Server: "sandbox", State: m.state, Replace: true, Wire: "umami",
		Upload: rybbit.Options{MaxBatchBytes: 1 << 10, RetryFor: 5 * time.Second, SettleAfter: time.Millisecond, Grace: time.Millisecond, Backoff: time.Millisecond},
	})
	if door.killed() {
		m.state = door.next
		return nil, true
	}
	if err == nil && result.Units.Replaced > 0 {
		m.replaced += result.Units.Replaced
		m.before = ""
	}
	return err, false
}

// door is the way to the server, which a process's death closes.
type door struct {
	server      *sandbox.Server
	at          int
	drops       int  // the answer to each request of a number that this divides is lost
	after       bool // the request is carried out
	state, next string
	kill        func()

	mu   sync.Mutex
	n    int
	dead bool
}

func (d *door) killed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.n++
	if d.dead {
		panic(http.ErrAbortHandler)
	}
	switch {
	case d.n == d.at:
	case d.drops > 0 && d.n%d.drops == 0:
		d.server.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	default:
		d.server.ServeHTTP(w, r)
		return
	}
	if d.after {
		d.server.ServeHTTP(httptest.NewRecorder(), r)
	}
	// What is on the disk now is what the next process finds.
	if err := os.CopyFS(d.next, os.DirFS(d.state)); err != nil {
		panic(err)
	}
	d.dead = true
	d.kill()
	panic(http.ErrAbortHandler)
}

// disaster loses the volume, or brings back that of the night before.
func (m *month) disaster() {
	if m.sql && m.rng.IntN(20) == 0 {
		m.lost++
		if m.before != "" && m.rng.IntN(2) == 0 {
			m.state = m.before
		} else {
			m.state = m.TempDir()
		}
	}
	m.before = m.TempDir()
	if err := os.CopyFS(m.before, os.DirFS(m.state)); err != nil {
		m.Fatal(err)
	}
}

// deleteByHand does what the message says.
func (m *month) deleteByHand(e *rybbit.StrangerError) {
	web := httptest.NewServer(m.server)
	defer web.Close()
	client, err := rybbit.NewClient(web.URL, "1", "sandbox", rybbit.ClientOptions{})
	if err != nil {
		m.Fatal(err)
	}
	defer client.Close()
	for _, imp := range e.Imports {
		m.deletedByHand++
		if presence, err := client.Probe(m.Context(), imp.ID); err == nil && presence == rybbit.Open {
			if err := client.Complete(m.Context(), imp.ID); err != nil {
				m.Fatal(err)
			}
		}
		if err := client.Delete(m.Context(), imp.ID); err != nil {
			m.Fatal(err)
		}
	}
}

// check holds that each event is there once.
func (m *month) check() {
	want := map[string]int{}
	for unit, n := range m.events {
		for i := range n {
			want[fmt.Sprintf("/%d/%d", unit, i)] = 1
			m.tally.events++
		}
	}
	rows, err := m.server.DB().Query(`SELECT pathname, count(*) FROM events GROUP BY 1`)
	if err != nil {
		m.Fatal(err)
	}
	defer rows.Close()
	got := map[string]int{}
	for rows.Next() {
		var path string
		var n int
		if err := rows.Scan(&path, &n); err != nil {
			m.Fatal(err)
		}
		got[path] = n
	}
	var wrong []string
	for path, n := range want {
		if got[path] != n {
			wrong = append(wrong, fmt.Sprintf("%s × %d", path, got[path]))
		}
		delete(got, path)
	}
	for path := range got {
		wrong = append(wrong, path+" unexpected")
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		m.Errorf("%d events are not there once: %s", len(wrong), strings.Join(wrong[:min(20, len(wrong))], ", "))
	}
}
