package file

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"hopper/pipeline"
)

var columns = pipeline.Columns()

// lines writes records, one a line.
type lines struct{ w *bufio.Writer }

func newLines(w io.Writer) (writer[*pipeline.Records], error) {
	return &lines{bufio.NewWriterSize(w, 256<<10)}, nil
}

// newCSV returns lines behind a header.
func newCSV(w io.Writer) (writer[*pipeline.Records], error) { return newLinesBehind(w, header()) }

func newLinesBehind(w io.Writer, header string) (writer[*pipeline.Records], error) {
	out := &lines{bufio.NewWriterSize(w, 256<<10)}
	_, err := out.w.WriteString(header)
	return out, err
}

func (l *lines) write(records *pipeline.Records) error {
	for i := range records.Len() {
		if _, err := l.w.Write(records.Record(i)); err != nil {
			return err
		}
		if err := l.w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

func (l *lines) close() error { return l.w.Flush() }

// appendJSON appends an event as a JSON object. Unknown values are left out.
func appendJSON(dst []byte, ev *pipeline.Event) []byte {
	dst = append(dst, '{')
	begin := len(dst)
	for i := range columns {
		c := &columns[i]
		before := len(dst)
		if before > begin {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), c.Name...), '"', ':')
		value := len(dst)
		dst = c.Append(dst, ev)
		if len(dst) == value {
			dst = dst[:before]
			continue
		}
		if c.Type == pipeline.TextColumn || c.Type == pipeline.TimeColumn {
			dst = quoteFrom(dst, value)
		}
	}
	return append(dst, '}')
}

// quoteFrom makes a JSON string of what stands in dst from an index on.
func quoteFrom(dst []byte, from int) []byte {
	plain := true
	for _, c := range dst[from:] {
		if c < ' ' || c == '"' || c == '\\' || c == 0x7F {
			plain = false
			break
		}
	}
	if !plain {
		text := string(dst[from:])
		return pipeline.AppendQuoted(dst[:from], text)
	}
	dst = append(dst, 0)
	copy(dst[from+1:], dst[from:])
	dst[from] = '"'
	return append(dst, '"')
}

func header() string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return strings.Join(names, ",") + "\n"
}

// appendCSV appends an event as a record of RFC 4180, without its line's end.
func appendCSV(dst []byte, ev *pipeline.Event) []byte {
	for i := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		value := len(dst)
		dst = quoteCell(columns[i].Append(dst, ev), value)
	}
	return dst
}

// quoteCell puts what stands in dst from an index on in quotes where it needs them.
func quoteCell(dst []byte, from int) []byte {
	if !bytes.ContainsAny(dst[from:], ",\"\r\n\\") && !bytes.HasPrefix(dst[from:], []byte(" ")) {
		return dst
	}
	text := strings.ReplaceAll(string(dst[from:]), `"`, `""`)
	return append(append(append(dst[:from], '"'), text...), '"')
}
