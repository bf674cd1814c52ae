package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// discarding is a server that counts events and stores none.
type discarding struct {
	http.Server
	address string

	mu      sync.Mutex
	imports []*importCount
	buffer  []byte // of one part of a batch
}

type importCount struct {
	ID        string  `json:"importId"`
	Platform  string  `json:"platform"`
	Imported  int64   `json:"importedEvents"`
	Skipped   int64   `json:"skippedEvents"`
	Invalid   int64   `json:"invalidEvents"`
	Started   string  `json:"startedAt"`
	Completed *string `json:"completedAt"`
}

func startDiscarding() (*discarding, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &discarding{imports: []*importCount{}, buffer: make([]byte, 256<<10), address: "http://" + listener.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/sites/1/imports", d.create)
	mux.HandleFunc("GET /api/sites/1/imports", d.list)
	mux.HandleFunc("POST /api/sites/1/imports/{id}/events", d.events)
	d.Handler = mux
	go d.Serve(listener)
	return d, nil
}

// forget makes the server one that has seen no import: what is none of a
// ledger's imports is looked into, which is not what is measured.
func (d *discarding) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.imports = []*importCount{}
}

// imported returns how many events have come.
func (d *discarding) imported() (events int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.imports {
		events += one.Imported
	}
	return events
}

func (d *discarding) close() error { return d.Close() }

const someTime = "2026-01-01T00:00:00.000Z"

func (d *discarding) create(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Platform string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	one := &importCount{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", len(d.imports)), Platform: asked.Platform, Started: someTime}
	d.imports = append(d.imports, one)
	answer(w, map[string]any{"importId": one.ID,
		"allowedDateRange": map[string]string{"earliestAllowedDate": "1970-01-01", "latestAllowedDate": "2100-01-01"}})
}

func answer(w http.ResponseWriter, data any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"data": data})
}

func (d *discarding) list(w http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	answer(w, d.imports[max(0, len(d.imports)-10):])
}

// events counts a batch's events.
func (d *discarding) events(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	events, last, err := d.discard(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, one := range d.imports {
		if one.ID != r.PathValue("id") {
			continue
		}
		one.Imported += events
		if last {
			completed := strings.Clone(someTime)
			one.Completed = &completed
		}
		w.WriteHeader(http.StatusOK)
		return
	}
	http.NotFound(w, r)
}

// discard reads a batch and keeps no more of it than a part that fits into a
// processor's cache. Events are counted by how the first one begins:
// `{"session_id":` cannot stand in a string, where quotes are escaped.
func (d *discarding) discard(batch io.Reader) (events int64, last bool, err error) {
	var begins []byte
	kept := 0 // the end of the part before, where the beginning of an event may have been cut
	for {
		n, err := io.ReadFull(batch, d.buffer[kept:])
		part := d.buffer[:kept+n]
		if begins == nil {
			begins = firstMember(part)
		}
		if len(begins) > 0 {
			events += int64(bytes.Count(part, begins) - bytes.Count(part[:kept], begins))
		}
		switch err {
		case nil:
			kept = copy(d.buffer, part[len(part)-tail:])
		case io.EOF, io.ErrUnexpectedEOF:
			return events, bytes.HasSuffix(part, []byte(`"isLastBatch":true}`)), nil
		default:
			return 0, false, err
		}
	}
}

// tail is longer than how an event begins and a batch ends.
const tail = 64

// firstMember returns how a batch's first event begins, up to its value.
func firstMember(batch []byte) []byte {
	_, first, _ := bytes.Cut(batch, []byte(`"events":[`))
	end := bytes.IndexByte(first, ':')
	if end < 0 || end >= tail || first[0] != '{' {
		return []byte{}
	}
	return bytes.Clone(first[:end+1])
}
