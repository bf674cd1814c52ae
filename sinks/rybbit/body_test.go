package rybbit

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
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
	for _, size := range []int{1, 10, 5000, 1 << 20, 12 << 20} {
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

// TestBodyIsLeftAlone closes a body while some of it is being sent: that must be over
// before its memory is used again, and no more is sent.
func TestBodyIsLeftAlone(t *testing.T) {
	b := bodyOf([]byte("abc"), []byte("def"))
	defer b.progress.stop()
	begun, end := make(chan struct{}), make(chan struct{})
	sending := true
	go b.take(4, func(parts net.Buffers) (int, error) {
		close(begun)
		<-end
		sending = false
		return 4, nil
	})
	<-begun
	time.AfterFunc(20*time.Millisecond, func() { close(end) })
	if b.Close(); sending {
		t.Error("the body is closed while it is being sent")
	}
	if n, err := b.Read(make([]byte, 4)); n > 0 || err != io.ErrClosedPipe || b.written() != 4 {
		t.Errorf("read %d bytes of a closed body, %v; %d are taken", n, err, b.written())
	}
}

// TestSlowSend sends bodies over connections that take little at a time. Such a request
// has stalled only where next to nothing gets on its way, however long all of it takes.
func TestSlowSend(t *testing.T) {
	for _, tt := range []struct {
		name    string
		perRead int // bytes a second
		most    int // that are read
		stalls  bool
	}{
		{"slow", 1000, 3 << 20, false},
		{"slow, in bursts", 200_000, 3 << 20, false},
		{"next to nothing", 300, 3 << 20, true},
		{"nothing more", 100_000, 1 << 20, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				want := bytes.Repeat([]byte("a body in parts "), 128<<10)
				client, server := net.Pipe()
				defer server.Close()
				b := newBody(slices.Collect(slices.Chunk(want, 300_000))...)
				ctx, progress := newProgress(t.Context(), 5*time.Minute)
				b.progress = progress
				defer progress.stop()
				context.AfterFunc(ctx, func() { client.Close() }) // as a transport does
				var got []byte
				read := make(chan struct{})
				go func() {
					defer close(read)
					for p := make([]byte, tt.perRead); len(got) < tt.most; time.Sleep(time.Second) {
						n, err := io.ReadFull(server, p)
						if got = append(got, p[:n]...); err != nil {
							return
						}
					}
				}()
				sent, err := b.send(client, b.size)
				client.Close()
				<-read
				if progress.stalled() != tt.stalls || (err != nil) != tt.stalls {
					t.Errorf("stalled %t after %d of %d bytes, %v", progress.stalled(), sent, b.size, err)
				}
				if sent != len(got) || b.written() != sent || (sent == b.size) == tt.stalls || !bytes.HasPrefix(want, got) {
					t.Errorf("sent %d bytes, counted %d, and %d arrived", sent, b.written(), len(got))
				}
			})
		})
	}
}
