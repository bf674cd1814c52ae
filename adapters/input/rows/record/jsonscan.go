package record

import "strings"

// Members is a [Chunk] whose records stand in text, and can be read member by
// member without being put together.
type Members interface {
	Chunk
	// Scan calls scan for each record that is read this way, and read, as
	// [Chunk.Read] would, for those of which scan returns false.
	Scan(scan func(*Record, *Scanner) bool, read func(*Record)) error
	// Release says that the chunk will not be read again, and that nothing of its
	// records is used any more: their text is memory that later chunks overwrite.
	Release()
}

var _ Members = (*jsonChunk)(nil)

// A Scanner goes through a record of JSON. What its methods return as ok is
// false where the text is not what is asked for, or is not as plain as most text
// is: the record is to be read as a whole then, which says what is wrong with it.
type Scanner struct {
	parser
	depth int // objects and lists that are open
}

func (c *jsonChunk) Scan(scan func(*Record, *Scanner) bool, read func(*Record)) error {
	return c.read(scan, read)
}

// Peek returns the character that the next value begins with, or 0.
func (s *Scanner) Peek() byte {
	if s.i < len(s.s) && s.s[s.i] > ' ' {
		return s.s[s.i]
	}
	s.space()
	if s.i == len(s.s) {
		return 0
	}
	return s.s[s.i]
}

// Open begins an object or a list, whose bracket is given.
func (s *Scanner) Open(bracket byte) (ok bool) {
	if s.Peek() != bracket || s.depth == maxDepth {
		return false
	}
	s.i++
	s.depth++
	return true
}

// Next goes to the next member or element, if there is one before the closing
// bracket.
func (s *Scanner) Next(closing byte, first bool) (more, ok bool) {
	switch c := s.Peek(); {
	case c == closing:
		s.i++
		s.depth--
		return false, true
	case first:
		return true, true
	case c == ',':
		s.i++
		return true, true
	}
	return false, false
}

// Name reads the name of the next member, which probably is guess.
func (s *Scanner) Name(guess string) (name string, ok bool) {
	if s.Peek() != '"' {
		return "", false
	}
	start := s.i + 1
	end := start + len(guess)
	if end >= len(s.s) || s.s[end] != '"' || s.s[start:end] != guess {
		if end = s.run(start); end == len(s.s) || s.s[end] != '"' {
			return "", false
		}
	}
	name, s.i = s.s[start:end], end+1
	if s.Peek() != ':' {
		return "", false
	}
	s.i++
	return name, true
}

// Past goes past text that stands next exactly so, which the scanner went through
// in the same place of a record before: a comma, a name and its colon. Otherwise it
// stays where it is.
func (s *Scanner) Past(written string) bool {
	if written == "" || !strings.HasPrefix(s.s[s.i:], written) {
		return false
	}
	s.i += len(written)
	return true
}

// Text goes past text that stands next exactly so, as [Scanner.Past] does, and reads
// a string without escapes that stands behind. Otherwise it stays where it is.
func (s *Scanner) Text(written string) (text string, ok bool) {
	i := s.i + len(written)
	if i >= len(s.s) || s.s[i] != '"' || written == "" || s.s[s.i:i] != written {
		return "", false
	}
	s.i = i
	if text, ok = s.Plain(); !ok {
		s.i = i - len(written)
	}
	return text, ok
}

// Plain reads a string without escapes that stands next. Otherwise it stays where
// it is.
func (s *Scanner) Plain() (text string, ok bool) {
	if s.i == len(s.s) || s.s[s.i] != '"' {
		return "", false
	}
	start := s.i + 1
	end := 0
	if s.marked {
		end = s.marks.after(start, len(s.s))
	} else {
		end = s.run(start)
	}
	if end >= len(s.s) || s.s[end] != '"' {
		return "", false
	}
	s.i = end + 1
	return s.s[start:end], true
}

// Scalar reads a value that is no object and no list.
func (s *Scanner) Scalar() (w Word, ok bool) {
	switch c := s.Peek(); c {
	case 0, '{', '[':
		return w, false
	case '"':
		text, err := s.text()
		return Word{Text: text, Kind: Text}, err == nil
	}
	v, err := s.value(s.depth, nil, false)
	return v.word(), err == nil
}

// Value reads any value. It is valid until the next record.
func (s *Scanner) Value() (v *Value, ok bool) {
	s.stack = s.stack[:0]
	one := s.take(1)
	var err error
	one[0], err = s.value(s.depth, nil, false)
	return &one[0], err == nil
}

// Skip goes past a value.
func (s *Scanner) Skip() (ok bool) {
	closing := byte('}')
	switch s.Peek() {
	case '{':
	case '[':
		closing = ']'
	default:
		_, ok = s.Scalar()
		return ok
	}
	if !s.Open(s.s[s.i]) {
		return false
	}
	for first := true; ; first = false {
		more, ok := s.Next(closing, first)
		if !ok || !more {
			return ok
		}
		if closing == '}' {
			if _, ok := s.Name(""); !ok {
				return false
			}
		}
		if !s.Skip() {
			return false
		}
	}
}

// A Repeated remembers objects and lists that stood in one place of records, whose
// values hardly differ. Its zero value remembers none. It is for one goroutine.
type Repeated struct {
	texts  [4]string // one of them is what the last value was, or all are new
	next   int
	missed int // more often than found
}

const (
	// maxMissed is how often values may differ from those that are remembered until
	// no more are: what stands there varies too much.
	maxMissed = 64
	// maxRepeated is how long a value may be that is remembered.
	maxRepeated = 4 << 10
)

// SkipRepeated is [Scanner.Skip] for a place whose values are mostly one of a few.
// A value that has been gone through once needs to be compared only: its brackets
// say where it ends.
func (s *Scanner) SkipRepeated(r *Repeated) (ok bool) {
	c := s.Peek()
	if c != '{' && c != '[' {
		return s.Skip()
	}
	for i := range r.texts {
		if s.Past(r.texts[i]) {
			r.missed = max(r.missed-1, 0)
			return true
		}
	}
	start := s.i
	if !s.Skip() {
		return false
	}
	if n := s.i - start; r.missed < maxMissed && n <= maxRepeated {
		r.missed++
		r.texts[r.next] = strings.Clone(s.s[start:s.i])
		r.next = (r.next + 1) % len(r.texts)
	}
	return true
}

// ASCII reports whether the record is known to be ASCII alone.
func (s *Scanner) ASCII() bool { return s.isASCII }

// Mark returns where the scanner stands, for [Scanner.Back].
func (s *Scanner) Mark() Mark { return Mark{s.i, s.depth} }

// Since returns the text from where the scanner stood to where it stands.
func (s *Scanner) Since(m Mark) string { return s.s[m.i:s.i] }

// Back goes back to where the scanner stood.
func (s *Scanner) Back(m Mark) { s.i, s.depth = m.i, m.depth }

// A Mark is a place in a record.
type Mark struct{ i, depth int }

// Done reports whether the record has been gone through.
func (s *Scanner) Done() bool { return s.Peek() == 0 && s.i == len(s.s) && s.depth == 0 }

// begin makes the scanner ready for a record.
func (s *Scanner) begin(text string) {
	s.parser.begin(text)
	s.depth = 0
}
