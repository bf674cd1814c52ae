package rybbit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hopper/pipeline"
	"hopper/sinks/rybbit/ledger"
	"hopper/sinks/rybbit/wire"
)

// shows reports whether text has a part of the key.
func shows(text string) bool {
	for n := range len(secret) - 8 {
		if strings.Contains(text, string(secret[n:n+8])) {
			return true
		}
	}
	return false
}

// echoes are servers that quote the key, each at another place.
var echoes = map[string]func(out http.ResponseWriter, r *http.Request, key string){
	"an error": func(out http.ResponseWriter, _ *http.Request, key string) {
		out.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(out).Encode(map[string]string{"error": key, "message": "with " + key, "required": key})
	},
	"a failure": func(out http.ResponseWriter, _ *http.Request, key string) {
		out.WriteHeader(http.StatusInternalServerError)
		json.NewEncoder(out).Encode(map[string]string{"error": key})
	},
	"a proxy's page": func(out http.ResponseWriter, _ *http.Request, key string) {
		out.WriteHeader(http.StatusBadGateway)
		io.WriteString(out, "<html>"+key)
	},
	"a page for an answer": func(out http.ResponseWriter, _ *http.Request, key string) { io.WriteString(out, "<html>"+key) },
	"a redirect's path": func(out http.ResponseWriter, r *http.Request, key string) {
		http.Redirect(out, r, "http://other.example/"+key+"?key="+key+"#"+key, http.StatusFound)
	},
	"a redirect's user": func(out http.ResponseWriter, r *http.Request, key string) {
		http.Redirect(out, r, "http://"+key+":"+key+"@other.example/", http.StatusFound)
	},
	"a redirect's host": func(out http.ResponseWriter, r *http.Request, key string) {
		http.Redirect(out, r, "http://"+key+".example/", http.StatusFound)
	},
	"the status line": func(out http.ResponseWriter, _ *http.Request, key string) { hijack(out, "HTTP/1.1 "+key+"\r\n\r\n") },
	"no HTTP":         func(out http.ResponseWriter, _ *http.Request, key string) { hijack(out, key+"\r\n\r\n") },
	"a header": func(out http.ResponseWriter, _ *http.Request, key string) {
		hijack(out, "HTTP/1.1 200 OK\r\n"+key+"\r\n\r\n")
	},
	"a length": func(out http.ResponseWriter, _ *http.Request, key string) {
		hijack(out, "HTTP/1.1 200 OK\r\nContent-Length: "+key+"\r\n\r\n")
	},
	"a Retry-After": func(out http.ResponseWriter, _ *http.Request, key string) {
		out.Header().Set("Retry-After", key)
		out.WriteHeader(http.StatusTooManyRequests)
	},
	"an import's id": func(out http.ResponseWriter, r *http.Request, key string) {
		if r.Method == http.MethodPost {
			fmt.Fprintf(out, `{"data":{"importId":%q}}`, key)
			return
		}
		fmt.Fprintf(out, `{"data":[{"importId":%q}]}`, key)
	},
	"what an import is": func(out http.ResponseWriter, r *http.Request, key string) {
		if r.Method == http.MethodPost {
			fmt.Fprintf(out, `{"data":{"importId":"6c1c77a2-c723-50b2-9268-0868c3c6305d","allowedDateRange":{"earliestAllowedDate":%q,"latestAllowedDate":%q}}}`, key, key)
			return
		}
		fmt.Fprintf(out, `{"data":[{"importId":"6c1c77a2-c723-50b2-9268-0868c3c6305d","platform":%q,"startedAt":%q,"completedAt":%q}]}`, key, key, key)
	},
	"a number": func(out http.ResponseWriter, _ *http.Request, key string) {
		fmt.Fprintf(out, `{"siteId":1,"organizationId":"o","data":[{"importId":"6c1c77a2-c723-50b2-9268-0868c3c6305d","importedEvents":%q,"c":%q}]}`, key, key)
	},
	"JSON that is none": func(out http.ResponseWriter, _ *http.Request, key string) { io.WriteString(out, `{"data":`+key) },
}

func hijack(out http.ResponseWriter, text string) {
	conn, _, err := out.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	io.WriteString(conn, text)
	conn.(*net.TCPConn).Close()
}

// TestEchoIsNotShown makes every call to servers that quote the key.
func TestEchoIsNotShown(t *testing.T) {
	for place, echo := range echoes {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			c := answering(t, func(out http.ResponseWriter, r *http.Request) {
				echo(out, r, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			})
			ctx := t.Context()
			var shown strings.Builder
			imports, err := c.Imports(ctx)
			fmt.Fprintln(&shown, err)
			for _, imp := range imports {
				completed := ""
				if imp.Completed != nil {
					completed = *imp.Completed
				}
				fmt.Fprintf(&shown, "%+v %s\n", imp, completed)
			}
			made, err := c.Create(ctx, "umami")
			_, probed := c.Probe(ctx, "a")
			var rows []struct {
				C jsonInt `json:"c"`
			}
			fmt.Fprintln(&shown, made, err, probed, c.Send(ctx, "a", []byte("{}")), c.Complete(ctx, "a"), c.Delete(ctx, "a"),
				c.Query(ctx, "SELECT 1", &rows), c.Get(ctx, "ask", []string{"a"}, url.Values{"q": {"1"}}, &struct{ Data []Import }{}),
				c.Post(ctx, "ask", []string{"a"}, 1, &struct{ Data []Import }{}))
			if shows(shown.String()) {
				t.Errorf("shown: %s", &shown)
			}
		})
	}
}

// TestEchoIsNotKept imports into servers that quote the key: neither the log nor
// the state directory has it.
func TestEchoIsNotKept(t *testing.T) {
	for place, echo := range echoes {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			c := answering(t, func(out http.ResponseWriter, r *http.Request) {
				key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
				switch { // all goes well until a batch is sent
				case r.Method == http.MethodGet:
					io.WriteString(out, `{"data":[]}`)
				case strings.HasSuffix(r.URL.Path, "/imports"):
					io.WriteString(out, `{"data":{"importId":"6c1c77a2-c723-50b2-9268-0868c3c6305d"}}`)
				default:
					echo(out, r, key)
				}
			})
			var said strings.Builder
			state := t.TempDir()
			l, err := ledger.Open(ledger.Migration{Server: "s", Site: "1", Inputs: []ledger.InputID{{Name: "n", Digest: ledger.Digest{SHA256: "1"}}}}, ledger.Options{Dir: state, Now: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			memory, err := OpenMemory(state, "s", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			u := NewUpload(c, l, memory, Options{
				RetryFor: 50 * time.Millisecond, SettleAfter: time.Millisecond, Backoff: time.Millisecond,
				Log: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug})),
			})
			if _, err = u.Open(t.Context(), []string{"umami"}); err != nil {
				t.Fatal(err)
			}
			format, err := wire.For("umami")
			if err != nil {
				t.Fatal(err)
			}
			_, err = u.Run(t.Context(), Run{
				Open:        func(context.Context) (pipeline.Source, error) { return &numbers{count: 5}, nil },
				Translation: &pipeline.Translation{Target: wire.Target(format)}, Encode: wire.Encode(format),
			})
			if text := fmt.Sprint(err, said.String()); shows(text) {
				t.Errorf("shown: %s", text)
			}
			filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				if text, err := os.ReadFile(path); err != nil || shows(string(text)) {
					t.Errorf("%s holds %s, %v", path, text, err)
				}
				return nil
			})
		})
	}
}

// TestKeyInAddress has the key, or another secret, where an address or a site
// belongs.
func TestKeyInAddress(t *testing.T) {
	for _, address := range []string{
		"https://user:" + string(secret) + "@rybbit.example", "https://" + string(secret) + "@rybbit.example", "user:" + string(secret) + "@rybbit.example",
		"htps://user:" + string(secret) + "@rybbit.example", "htps://" + string(secret) + "@rybbit.example", "https//" + string(secret) + "@rybbit.example",
		"https://rybbit.example/?key=" + string(secret), "https://rybbit.example/#" + string(secret), "https://rybbit.example:" + string(secret),
		string(secret), "https://[" + string(secret), "https://rybbit.example/%zz" + string(secret), " " + string(secret) + "@",
	} {
		if _, err := NewClient(address, "1", secret, ClientOptions{}); err == nil || shows(err.Error()) {
			t.Errorf("%s: error %v", address, err)
		}
		// Another secret than the key in use is only known by its place.
		if _, err := NewClient(address, "1", "another", ClientOptions{}); err == nil || strings.Contains(address, "@") && shows(err.Error()) {
			t.Errorf("%s, with another key: error %v", address, err)
		}
	}
	for _, site := range []string{string(secret) + "!", "site " + string(secret)} {
		if _, err := NewClient("https://rybbit.example", site, secret, ClientOptions{}); err == nil || shows(err.Error()) {
			t.Errorf("site %s: error %v", site, err)
		}
	}
	for _, key := range []Key{secret + "\n", secret + " ", "é" + secret} {
		if _, err := NewClient("https://rybbit.example", "1", key, ClientOptions{}); err == nil || shows(err.Error()) {
			t.Errorf("a key that is none: error %v", err)
		}
	}
}

// TestKeyFile reads files that are none, and tells those that others can read.
func TestKeyFile(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct {
		path  string
		loose bool
		says  string
	}{
		{file("own", string(secret)+"\n", 0o600), false, ""},
		{file("others", string(secret), 0o644), true, ""},
		{file("empty", " \n", 0o600), false, "is empty"},
		{file("large", strings.Repeat(string(secret), 1000), 0o600), false, "is no key file"},
		{filepath.Join(dir, "none"), false, "no such file"},
		{"/dev/zero", false, "is no key file"},
		{dir, false, "directory"},
	} {
		key, loose, err := ReadKey(tt.path)
		switch {
		case tt.says == "" && (err != nil || string(key) != string(secret) || loose != tt.loose):
			t.Errorf("%s: %v, loose %v", tt.path, err, loose)
		case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || shows(err.Error())):
			t.Errorf("%s: error %v", tt.path, err)
		}
	}
}
