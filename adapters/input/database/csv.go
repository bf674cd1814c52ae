package database

import (
	"bufio"
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// writer takes CSV: what a database has written, or cells.
type writer struct{ *bufio.Writer }

func newWriter(w io.Writer) writer { return writer{bufio.NewWriterSize(w, 64<<10)} }

// header writes the columns' names.
func (w writer) header(names []string) error {
	for i, name := range names {
		w.cell(i, []byte(name))
	}
	return w.WriteByte('\n')
}

// cell writes the i-th cell of a row; nil is NULL. An error shows at the row's end.
func (w writer) cell(i int, value []byte) {
	if i > 0 {
		w.WriteByte(',')
	}
	if value == nil {
		return
	}
	w.WriteByte('"')
	for {
		at := bytes.IndexByte(value, '"')
		if at < 0 {
			break
		}
		w.Write(value[:at+1])
		w.WriteByte('"')
		value = value[at+1:]
	}
	w.Write(value)
	w.WriteByte('"')
}

// binary writes bytes that are no text, as dumps do it with --hex-blob.
func (w writer) binary(i int, value []byte) {
	if value == nil {
		w.cell(i, nil)
		return
	}
	w.cell(i, append([]byte("0x"), strings.ToUpper(hex.EncodeToString(value))...))
}

// isAway reports whether a database could not be reached, or went away.
func isAway(err error) bool {
	var network net.Error
	var answer *pgconn.PgError
	if errors.As(err, &answer) { // it is shut down, starts, or has no connections left
		return strings.HasPrefix(answer.Code, "08") || strings.HasPrefix(answer.Code, "57P") || strings.HasPrefix(answer.Code, "53")
	}
	for _, away := range []error{io.ErrUnexpectedEOF, io.EOF, context.DeadlineExceeded, driver.ErrBadConn, mysql.ErrInvalidConn, syscall.ECONNREFUSED, syscall.ECONNRESET} {
		if errors.Is(err, away) {
			return true
		}
	}
	return errors.As(err, &network)
}
