package ga

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"

	"hopper/adapters/input"
	"hopper/adapters/input/spill"
)

const (
	// maxAnswer is the longest answer of an API that is read, but for its rows, and
	// maxAnswerRow the longest of these, in bytes.
	maxAnswer    = 16 << 20
	maxAnswerRow = 16 << 20
)

// answerReader reads answers of the APIs in JSON, one after the other, without their
// rows: an array that is called rows is written down element by element, and in its
// place stands one with the number of the bin.
type answerReader struct {
	in   *input.Input
	r    *bufio.Reader
	rows *spill.Bins

	depth  int    // of objects and arrays around
	inRows int    // the depth within an array of rows, or 0
	bin    int    // of its elements
	quoted bool   // within a string
	key    []byte // the beginning of the last string
	colon  bool   // stands behind it

	answer, row []byte
}

// next returns the next answer, or io.EOF. What is cut off is returned as it is.
func (a *answerReader) next() ([]byte, error) {
	a.answer = a.answer[:0]
	for {
		c, err := a.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && len(a.answer) > 0:
			a.depth, a.inRows, a.quoted = 0, 0, false
			return a.answer, nil
		case err != nil:
			return nil, err
		}
		if a.quoted {
			err = a.inString(c)
		} else {
			err = a.outside(c)
		}
		if err != nil {
			return nil, err
		}
		if a.depth == 0 && len(a.answer) > 0 {
			return a.answer, nil
		}
	}
}

// put appends to what is being read: an answer or one of its rows.
func (a *answerReader) put(c byte) error {
	switch {
	case a.depth == 0:
	case a.inRows > 0:
		if a.row = append(a.row, c); len(a.row) > maxAnswerRow {
			return input.Errorf(a.in.Name, "holds an answer of an API with a row of more than %d MiB; fetch it again", maxAnswerRow>>20)
		}
	default:
		if a.answer = append(a.answer, c); len(a.answer) > maxAnswer {
			return input.Errorf(a.in.Name, "holds an answer of an API of more than %d MiB beside its rows; fetch it in parts, a month or a year each", maxAnswer>>20)
		}
	}
	return nil
}

func (a *answerReader) inString(c byte) error {
	if c == '"' {
		a.quoted = false
	} else if len(a.key) < len("rows ") {
		a.key = append(a.key, c)
	}
	if err := a.put(c); err != nil || c != '\\' {
		return err
	}
	escaped, err := a.r.ReadByte()
	if err != nil { // next says what that means
		return nil
	}
	return a.put(escaped)
}

func (a *answerReader) outside(c byte) error {
	named := a.colon && string(a.key) == "rows"
	if c > ' ' {
		a.colon = c == ':'
	}
	switch c {
	case '"':
		a.quoted, a.key = true, a.key[:0]
	case '{', '[':
		a.depth++
		if err := a.put(c); err != nil || c != '[' || !named || a.inRows > 0 {
			return err
		}
		a.inRows, a.bin, a.row = a.depth, a.rows.New(), a.row[:0]
		return nil
	case ',':
		if a.inRows == a.depth && a.depth > 0 {
			return a.endRow()
		}
	case ']', '}':
		if a.inRows == a.depth && a.depth > 0 {
			if err := a.endRow(); err != nil {
				return err
			}
			a.inRows = 0
			a.answer = strconv.AppendInt(a.answer, int64(a.bin), 10)
		}
		err := a.put(c)
		a.depth = max(0, a.depth-1)
		return err
	}
	return a.put(c)
}

func (a *answerReader) endRow() error {
	row := bytes.TrimSpace(a.row)
	a.row = a.row[:0]
	if len(row) == 0 {
		return nil
	}
	return a.rows.Add(a.bin, row)
}
