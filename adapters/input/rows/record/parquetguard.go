package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/format"
)

// The library reserves memory by what a Parquet file claims: of how long its
// lists, texts and pages are. What is here looks at the claims before, so that
// a damaged file is an error and does not take all memory.

// A skimmer goes over Thrift's compact encoding, in which a Parquet file's
// footer and page headers are written.
type skimmer struct {
	b  []byte
	at int
	// short says that b ended, or holds less than a length in it claims.
	short bool
	// bad says that it is no such encoding.
	bad bool
}

func (s *skimmer) ok() bool { return !s.short && !s.bad }

func (s *skimmer) byte() byte {
	if s.at >= len(s.b) {
		s.short = true
		return 0
	}
	s.at++
	return s.b[s.at-1]
}

func (s *skimmer) uvarint() uint64 {
	v, n := binary.Uvarint(s.b[min(s.at, len(s.b)):])
	switch {
	case n == 0:
		s.short = true
	case n < 0:
		s.bad = true
	default:
		s.at += n
	}
	return v
}

func (s *skimmer) skip(n uint64) {
	if n > uint64(len(s.b)-s.at) {
		s.short = true
		return
	}
	s.at += int(n)
}

// The types of Thrift's compact encoding that matter here.
const (
	thriftTrue = iota + 1
	thriftFalse
	thriftByte
	thriftI16
	thriftI32
	thriftI64
	thriftDouble
	thriftBinary
	thriftList
	thriftSet
	thriftMap
	thriftStruct
)

// structure goes over a structure's fields. Where number is not nil it is
// called with the path of each integer: the fields' ids, two at most.
func (s *skimmer) structure(path [2]int, depth int, number func(path [2]int, n int64)) {
	if depth > maxDepth {
		s.bad = true
	}
	id := 0
	for s.ok() {
		head := s.byte()
		if head == 0 {
			return
		}
		if delta := int(head >> 4); delta > 0 {
			id += delta
		} else {
			u := s.uvarint()
			id = int(int16(u>>1) ^ -int16(u&1))
		}
		if depth < len(path) {
			path[depth] = id
		}
		s.value(head&15, path, depth, number)
	}
}

func (s *skimmer) value(kind byte, path [2]int, depth int, number func(path [2]int, n int64)) {
	switch kind {
	case thriftTrue, thriftFalse:
	case thriftByte:
		s.byte()
	case thriftI16, thriftI32, thriftI64:
		if u := s.uvarint(); number != nil && depth < len(path) && s.ok() {
			number(path, int64(u>>1)^-int64(u&1))
		}
	case thriftDouble:
		s.skip(8)
	case thriftBinary:
		s.skip(s.uvarint())
	case thriftList, thriftSet:
		head := s.byte()
		n := uint64(head >> 4)
		if n == 15 {
			n = s.uvarint()
		}
		s.elements(n, depth, head&15)
	case thriftMap:
		if n := s.uvarint(); n > 0 {
			kinds := s.byte()
			s.elements(n, depth, kinds>>4, kinds&15)
		}
	case thriftStruct:
		s.structure(path, depth+1, number)
	default:
		s.bad = true
	}
}

// elements goes over n elements, each of values of these kinds.
func (s *skimmer) elements(n uint64, depth int, kinds ...byte) {
	if n > uint64(len(s.b)-s.at) { // an element has at least a byte
		s.short = true
	}
	for ; n > 0 && s.ok(); n-- {
		for _, kind := range kinds {
			if kind == thriftTrue || kind == thriftFalse {
				s.byte()
				continue
			}
			s.value(kind, [2]int{}, depth+1, nil)
		}
	}
}

var errParquetFooter = errors.New("its footer is damaged")

// checkFooter checks the lengths in a file's footer, which is n bytes long and
// stands before the last eight bytes of the file.
func checkFooter(file io.ReaderAt, size, n int64) error {
	footer := make([]byte, n)
	if _, err := file.ReadAt(footer, size-8-n); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	s := skimmer{b: footer}
	if s.structure([2]int{}, 0, nil); !s.ok() {
		return errParquetFooter
	}
	return nil
}

const (
	// maxPage is how long a page may be of any compression.
	maxPage = 16 << 20
	// maxPageRatio is how much longer than stored a longer page may be.
	maxPageRatio = 1100
	// maxPageValues is how many values a page may hold.
	maxPageValues = 1 << 26
	// maxPageHeader is how long a page's header may be, with the least and
	// greatest values in it.
	maxPageHeader = 1 << 20
)

// A pageHeader is what a page claims to hold.
type pageHeader struct{ stored, unpacked, values, words int64 }

// checkPages looks at the headers of a column's pages in a file of that size.
func checkPages(file io.ReaderAt, size int64, m *format.ColumnMetaData, rows int64, repeated bool) error {
	start := m.DataPageOffset
	if m.DictionaryPageOffset > 0 && m.DictionaryPageOffset < start {
		start = m.DictionaryPageOffset
	}
	end := start + m.TotalCompressedSize
	if start < 4 || m.TotalCompressedSize < 0 || end > size || m.NumValues < 0 || !repeated && m.NumValues != rows {
		return errors.New("its footer and its columns do not fit together")
	}
	window := make([]byte, 4<<10)
	for values := int64(0); start < end && values < m.NumValues; {
		h, n, err := readPageHeader(file, start, min(end-start, maxPageHeader), &window)
		if err != nil {
			return err
		}
		switch {
		case h.stored < 0 || h.stored > end-start-n:
			return fmt.Errorf("a page claims to be %d bytes long and has %d", h.stored, end-start-n)
		case h.unpacked < 0 || h.unpacked > maxPage && h.unpacked/maxPageRatio > h.stored:
			return fmt.Errorf("a page of %d bytes claims to unpack to %d", h.stored, h.unpacked)
		case h.values < 0 || h.values > m.NumValues || h.values > maxPageValues || h.words < 0 || h.words > h.unpacked+1:
			return fmt.Errorf("a page of %d bytes claims to hold %d values", h.unpacked, max(h.values, h.words))
		}
		values += h.values
		start += n + h.stored
	}
	return nil
}

// readPageHeader reads the header at an offset, which is at most limit long.
func readPageHeader(file io.ReaderAt, at, limit int64, window *[]byte) (h pageHeader, n int64, err error) {
	for {
		b := (*window)[:min(int64(len(*window)), limit)]
		if _, err := file.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
			return h, 0, err
		}
		s := skimmer{b: b}
		h = pageHeader{}
		s.structure([2]int{}, 0, func(path [2]int, n int64) {
			switch path {
			case [2]int{2, 0}:
				h.unpacked = n
			case [2]int{3, 0}:
				h.stored = n
			case [2]int{5, 1}, [2]int{8, 1}: // data pages of both versions
				h.values = n
			case [2]int{7, 1}: // a dictionary
				h.words = n
			}
		})
		switch {
		case s.ok():
			return h, int64(s.at), nil
		case s.bad || int64(len(b)) == limit:
			return h, 0, errors.New("a page's header is damaged")
		}
		*window = make([]byte, 8*len(*window))
	}
}
