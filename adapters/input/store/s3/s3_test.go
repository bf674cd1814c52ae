package s3_test

import (
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"hopper/adapters/input"
	"hopper/adapters/input/store"
	"hopper/adapters/input/store/s3"
	"hopper/adapters/input/store/storetest"
)

var quiet = log.New(io.Discard, "", 0)

// fake starts a server with a bucket named exports.
func fake(t *testing.T) *s3mem.Backend {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("exports"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	server.Config.ErrorLog = quiet // it writes headers twice
	server.Start()
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_S3": server.URL, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "SECRETKEY", "AWS_REGION": "eu-central-1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	return backend
}

func TestStore(t *testing.T) {
	backend := fake(t)
	storetest.Run(t, storetest.Server{
		Store: &s3.Store{},
		Put: func(t *testing.T, key string, content []byte) {
			if _, err := backend.PutObject("exports", key, nil, bytes.NewReader(content), int64(len(content)), nil); err != nil {
				t.Fatal(err)
			}
		},
		Address: func(key string) string { return "s3://exports/" + key },
	})
}

func TestNoServer(t *testing.T) {
	fake(t)
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://user:SECRETKEY@127.0.0.1:9")
	s := &s3.Store{Retry: store.Retry{Tries: 2, Pause: time.Millisecond}}
	_, err := input.Open(t.Context(), []string{"s3://exports/a.csv"}, nil, "", s)
	if err == nil || !strings.Contains(err.Error(), "after 2 tries") || strings.Contains(err.Error(), "SECRETKEY") {
		t.Errorf("got %v", err)
	}
}

func TestAddresses(t *testing.T) {
	fake(t)
	for _, address := range []string{"s3://", "s3:///a.csv", "s3://key:SECRETKEY@exports/a.csv", "s3://nobucket/a.csv", "s3://*/a.csv"} {
		_, err := input.Open(t.Context(), []string{address}, nil, "", &s3.Store{})
		if err == nil || strings.Contains(err.Error(), "SECRETKEY") {
			t.Errorf("%s: got %v", address, err)
		}
	}
}

// TestPut writes an object, and says which bucket is not there.
func TestPut(t *testing.T) {
	backend := fake(t)
	s := &s3.Store{Retry: store.Retry{Tries: 2, Pause: time.Millisecond}}
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	reader := bytes.NewReader(content)
	if _, err := reader.Seek(17, io.SeekStart); err != nil { // it begins at its beginning
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "s3://exports/parts/a.ndjson", reader, int64(len(content))); err != nil {
		t.Fatal(err)
	}
	object, err := backend.GetObject("exports", "parts/a.ndjson", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Contents.Close()
	if got, err := io.ReadAll(object.Contents); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes arrived, %v", len(got), err)
	}
	if err := s.Put(t.Context(), "s3://nobucket/a", reader, 1); err == nil || !strings.Contains(err.Error(), "bucket") || strings.Contains(err.Error(), "SECRETKEY") {
		t.Errorf("got %v", err)
	}
}
