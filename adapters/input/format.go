package input

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// A Format is what an input holds, by its first bytes.
type Format string

const (
	Empty   Format = "empty"
	Text    Format = "text"
	JSON    Format = "JSON" // an object or array, or one a line
	Parquet Format = "Parquet"
	Avro    Format = "Avro"
	Arrow   Format = "Arrow"
	// Other formats cannot be read by any adapter; messages name them.
	PGCustom Format = "pg_dump's custom format"
	SQLite   Format = "an SQLite database"
	Nested   Format = "an archive inside an archive"
	Tar      Format = "a tar archive"
	Packed   Format = "an archive or compression (xz, 7z, rar) that cannot be read here"
	Binary   Format = "binary data"
)

var magics = []struct {
	at    int
	magic string
	is    Format
}{
	{0, "PAR1", Parquet},
	{0, "Obj\x01", Avro},
	{0, "ARROW1", Arrow},
	{0, "\xff\xff\xff\xff", Arrow}, // the stream format
	{0, "PGDMP", PGCustom},
	{0, "SQLite format 3\x00", SQLite},
	{0, "PK\x03\x04", Nested},
	{257, "ustar", Tar},
	{0, "\xfd7zXZ\x00", Packed},
	{0, "7z\xbc\xaf\x27\x1c", Packed},
	{0, "Rar!\x1a\x07", Packed},
}

// formatOf recognizes what begins with head.
func formatOf(head []byte) Format {
	for _, m := range magics {
		if len(head) >= m.at+len(m.magic) && string(head[m.at:m.at+len(m.magic)]) == m.magic {
			return m.is
		}
	}
	text := textOf(head)
	switch trimmed := bytes.TrimLeft(text, " \t\r\n"); {
	case len(trimmed) == 0:
		return Empty
	case !mostlyText(text):
		return Binary
	case trimmed[0] == '{' || trimmed[0] == '[':
		return JSON
	}
	return Text
}

// mostlyText reports whether head is text rather than binary data, also in a
// one-byte encoding or with a few damaged characters. ClickHouse pads short strings with zeros.
func mostlyText(head []byte) bool {
	var control, invalid, zero int
	for rest := head; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && n == 1:
			invalid++
		case r == 0:
			zero++
		case r < ' ' && r != '\n' && r != '\r' && r != '\t':
			control++
		}
		rest = rest[n:]
	}
	return control <= len(head)/50 && invalid <= len(head)/3 && (zero == 0 || zero <= len(head)/16 && invalid == 0)
}

// textTransformer returns what makes UTF-8 without a mark of text that begins
// with head, or nil where it is that already.
func textTransformer(head []byte) transform.Transformer {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder()
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return unicode.BOMOverride(transform.Nop)
	}
	if bytes.IndexByte(head, '\r') >= 0 && bytes.IndexByte(head, '\n') < 0 {
		return lineEnds{}
	}
	if bytes.IndexByte(head, 0) < 0 {
		return nil
	}
	switch even, odd := zeros(head); {
	case odd > len(head)/4 && even == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder()
	case even > len(head)/4 && odd == 0:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder()
	}
	return nil
}

// lineEnds ends lines as all others end them where carriage returns alone do, as
// in CSV (Macintosh) of Excel.
type lineEnds struct{ transform.NopResetter }

func (lineEnds) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	n := copy(dst, src)
	for i, c := range dst[:n] {
		if c == '\r' {
			dst[i] = '\n'
		}
	}
	if n < len(src) {
		err = transform.ErrShortDst
	}
	return n, n, err
}

// zeros counts the NUL bytes at even and at odd positions.
func zeros(head []byte) (even, odd int) {
	for i, c := range head {
		if c == 0 {
			if i%2 == 0 {
				even++
			} else {
				odd++
			}
		}
	}
	return even, odd
}

// textOf returns head in UTF-8, without a mark.
func textOf(head []byte) []byte {
	t := textTransformer(head)
	if t == nil {
		return head
	}
	// The head can end amid a character, so what was converted counts.
	text, _, _ := transform.Bytes(t, head[:len(head)&^1])
	return text
}
