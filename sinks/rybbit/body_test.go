package rybbit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func bodyOf(parts ...[]byte) *body {
	b := newBody(parts...)
	_, b.progress = newProgress(context.Background(), time.Minute)
	return b
}

// TestBody reads bodies of any parts, with buffers of any size.
func TestBody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 0, 20)).Draw(t, "parts")
		want := bytes.Join(parts, nil)
		b := bodyOf(parts...)
		defer b.progress.stop()
		var got []byte
		for {
			p := make([]byte, rapid.IntRange(0, 30).Draw(t, "size"))
			n, err := b.Read(p)
			if got = append(got, p[:n]...); err == io.EOF {
				break
			}
			if err != nil || n == 0 && len(p) > 0 || b.written() != len(got) {
				t.Fatalf("read %d of %d bytes, %v; %d are taken after %d", n, len(p), err, b.written(), len(got))
			}
		}
		if b.size != len(want) || !bytes.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

// TestBodiesAreSent sends bodies of few and of many parts, which a server gets whole,
// one after the other on one connection.
func TestBodiesAreSent(t *testing.T) {
	var got []byte
	connections := 0
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections++
		}
	}
	server.Start()
	defer server.Close()
	client, err := NewClient(server.URL, "1", "key", ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, size := range []int{1, 10, 5000, maxSend - 1, maxSend, maxSend + 1, 3 << 20} {
		for _, count := range []int{1, 2, 3000} {
			var parts [][]byte
			for i := range count {
				parts = append(parts, bytes.Repeat([]byte{byte('a' + i%26)}, max(1, size/count)), nil)
			}
			want := append(append([]byte(batchPrefix), bytes.Join(parts, nil)...), batchSuffix...)
			if err := client.Send(t.Context(), "id", parts...); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d parts of %d bytes: %d bytes arrived of %d, %v", count, size/count, len(got), len(want), err)
			}
		}
	}
	if connections != 1 {
		t.Errorf("%d connections were made", connections)
	}
}

// TestAnsweredBodyIsLeftAlone changes a body once a request is over that a server has
// answered in the midst of it: what it reads on is what was to be sent.
func TestAnsweredBodyIsLeftAlone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const size = 20 << 20
	answered, over := make(chan struct{}), make(chan struct{})
	changed := make(chan bool, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		close(answered)
		<-over
		rest, _ := io.ReadAll(conn)
		changed <- bytes.ContainsRune(rest, '!')
	}()
	client, err := NewClient("http://"+listener.Addr().String(), "1", "key", ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	records := bytes.Repeat([]byte("a"), size)
	var refused *StatusError
	var lost *LostError
	if err := client.Send(t.Context(), "id", records); !errors.As(err, &refused) && !errors.As(err, &lost) {
		t.Errorf("got %v", err)
	}
	<-answered
	for i := range records {
		records[i] = '!'
	}
	close(over)
	if <-changed {
		t.Error("the server got what the memory of the body was used for later")
	}
}
