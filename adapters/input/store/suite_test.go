package store_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"hopper/adapters/input/store"
	"hopper/adapters/input/store/storetest"
)

func TestWeb(t *testing.T) {
	var files sync.Map
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := files.Load(strings.TrimPrefix(r.URL.Path, "/"))
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(content.([]byte))))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content.([]byte)))
	}))
	defer server.Close()
	storetest.Run(t, storetest.Server{
		Store: &store.Web{},
		Put:   func(_ *testing.T, key string, content []byte) { files.Store(key, content) },
		Address: func(key string) string {
			return server.URL + "/" + (&url.URL{Path: key}).EscapedPath() + "?signature=1"
		},
		Flat: true,
	})
}
