package gcs_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hopper/adapters/input"
	"hopper/adapters/input/store"
	"hopper/adapters/input/store/gcs"
	"hopper/adapters/input/store/storetest"
)

// standIn answers what a reader of one bucket named exports asks.
type standIn struct {
	mu      sync.Mutex
	objects map[string][]byte
	numbers map[string]int // generations
	fail    int            // requests to refuse with 503
}

func (s *standIn) put(key string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[key] = content
	s.numbers[key] += 1000
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	busy := s.fail > 0
	if busy {
		s.fail--
	}
	s.mu.Unlock()
	if busy {
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	if key, ok := strings.CutPrefix(r.URL.Path, "/storage/v1/b/exports/o/"); ok {
		s.one(w, r, key)
	} else if r.URL.Path == "/upload/storage/v1/b/exports/o" {
		s.upload(w, r)
	} else if r.URL.Path == "/storage/v1/b/exports/o" {
		s.list(w, r)
	} else if key, ok := strings.CutPrefix(r.URL.Path, "/exports/"); ok {
		r.URL.RawQuery += "&alt=media"
		s.one(w, r, key)
	} else {
		http.Error(w, `{"error":{"code":404,"message":"The specified bucket does not exist."}}`, http.StatusNotFound)
	}
}

// upload takes an object whose attributes come before it in one request.
func (s *standIn) upload(w http.ResponseWriter, r *http.Request) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	parts := multipart.NewReader(r.Body, params["boundary"])
	var attributes struct{ Name string }
	var content []byte
	if part, err2 := parts.NextPart(); err == nil && err2 == nil {
		err = json.NewDecoder(part).Decode(&attributes)
	}
	if part, err2 := parts.NextPart(); err == nil && err2 == nil {
		content, err = io.ReadAll(part)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.put(attributes.Name, content)
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(s.attributes(attributes.Name))
}

func (s *standIn) attributes(key string) map[string]string {
	sum := crc32.Checksum(s.objects[key], crc32.MakeTable(crc32.Castagnoli))
	return map[string]string{"crc32c": base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum)), "name": key, "bucket": "exports", "size": fmt.Sprint(len(s.objects[key])), "generation": fmt.Sprint(s.numbers[key])}
}

func (s *standIn) one(w http.ResponseWriter, r *http.Request, key string) {
	s.mu.Lock()
	content, ok := s.objects[key]
	attributes := s.attributes(key)
	s.mu.Unlock()
	if asked := r.FormValue("generation"); !ok || asked != "" && asked != attributes["generation"] {
		http.Error(w, "no such object", http.StatusNotFound)
		return
	}
	if r.FormValue("alt") != "media" {
		json.NewEncoder(w).Encode(attributes)
		return
	}
	w.Header().Set("X-Goog-Generation", attributes["generation"])
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// list gives two objects a page.
func (s *standIn) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for key := range s.objects {
		if strings.HasPrefix(key, r.FormValue("prefix")) && key > r.FormValue("pageToken") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	page := map[string]any{}
	if len(keys) > 2 {
		keys = keys[:2]
		page["nextPageToken"] = keys[1]
	}
	var items []map[string]string
	for _, key := range keys {
		items = append(items, s.attributes(key))
	}
	page["items"] = items
	json.NewEncoder(w).Encode(page)
}

func start(t *testing.T) *standIn {
	t.Helper()
	s := &standIn{objects: map[string][]byte{}, numbers: map[string]int{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(server.URL, "http://"))
	return s
}

func TestStore(t *testing.T) {
	s := start(t)
	storetest.Run(t, storetest.Server{
		Store:   &gcs.Store{},
		Put:     func(_ *testing.T, key string, content []byte) { s.put(key, content) },
		Address: func(key string) string { return "gs://exports/" + key },
	})
}

func TestBusyServer(t *testing.T) {
	s := start(t)
	s.put("a.csv", []byte("a,b\n"))
	s.fail = 2
	ins, err := input.Open(t.Context(), []string{"gs://exports/a.csv"}, nil, "", &gcs.Store{Retry: store.Retry{Pause: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	if err := ins.Close(); err != nil {
		t.Error(err)
	}
}

func TestNoBucket(t *testing.T) {
	start(t)
	for _, address := range []string{"gs://nobucket/", "gs://nobucket/a.csv", "gs://", "gs:///x"} {
		_, err := input.Open(t.Context(), []string{address}, nil, "", &gcs.Store{})
		if err == nil {
			t.Errorf("%s: got no error", address)
		}
	}
}

// TestPut writes an object, though the server is busy at first.
func TestPut(t *testing.T) {
	server := start(t)
	server.mu.Lock()
	server.fail = 1
	server.mu.Unlock()
	s := &gcs.Store{Retry: store.Retry{Tries: 3, Pause: time.Millisecond}}
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	if err := s.Put(t.Context(), "gs://exports/parts/a.ndjson", bytes.NewReader(content), int64(len(content))); err != nil {
		t.Fatal(err)
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	if !bytes.Equal(server.objects["parts/a.ndjson"], content) {
		t.Errorf("%d bytes arrived", len(server.objects["parts/a.ndjson"]))
	}
}
