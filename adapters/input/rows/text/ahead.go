package text

import (
	"context"
	"io"
)

// margin is how much room there is before text that is read ahead, for the rest of the
// chunk before. Hardly a record is longer.
const margin = 16 << 10

// ahead is text of the next chunk, which is read while the one before is laid.
type ahead struct {
	memory *memory
	text   []byte // what is left of it; in the memory's room, behind the margin
	begun  bool   // some of it was taken
	err    error  // of reading, behind the text
	read   chan struct{}
}

// readAhead begins to read the next chunk, but for its end: how much its beginning
// takes is not known yet.
func readAhead(body io.Reader) *ahead {
	a := &ahead{memory: memories.Get().(*memory), read: make(chan struct{})}
	go func() {
		defer close(a.read)
		a.text, a.err = fill(a.memory.room[margin:margin:chunkSize], body)
	}()
	return a
}

// aheadReader is body with text before it that was read ahead. Once that is read it is
// body alone.
type aheadReader struct {
	body   io.Reader
	ahead  *ahead             // nil is none
	err    error              // that came behind what was read ahead
	cancel context.CancelFunc // of reading
}

func (r *aheadReader) Read(p []byte) (int, error) {
	a := r.ahead
	switch {
	case r.err != nil:
		return 0, r.err
	case a == nil:
		return r.body.Read(p)
	}
	<-a.read
	n := copy(p, a.text)
	if a.text, a.begun = a.text[n:], true; len(a.text) == 0 {
		r.ahead, r.err = nil, a.err
		a.memory.free()
	}
	return n, nil
}

// begin returns memory whose text begins with rest. What was read ahead follows where it
// need not be moved for that.
func (r *aheadReader) begin(rest []byte) *memory {
	if a := r.ahead; a != nil && !a.begun && len(rest) < margin {
		<-a.read
		r.ahead, r.err = nil, a.err
		m, from := a.memory, margin-len(rest)
		m.text = m.room[from : margin+len(a.text) : from+chunkSize]
		copy(m.text, rest)
		return m
	}
	m := memories.Get().(*memory)
	if m.text = m.room[:0:chunkSize]; len(rest) >= chunkSize { // behind a very long record
		m.text = room(2 * len(rest))
	}
	m.text = append(m.text, rest...)
	return m
}

// next begins to read ahead, where that is not done.
func (r *aheadReader) next() {
	if r.ahead == nil && r.err == nil {
		r.ahead = readAhead(r.body)
	}
}

// stop ends reading ahead.
func (r *aheadReader) stop() {
	r.cancel()
	if r.ahead != nil {
		<-r.ahead.read
		r.ahead = nil
	}
}

// fill reads until text is at its capacity, or fails.
func fill(text []byte, body io.Reader) ([]byte, error) {
	for len(text) < cap(text) {
		n, err := body.Read(text[len(text):cap(text)])
		if text = text[:len(text)+n]; err != nil {
			return text, err
		}
	}
	return text, nil
}
