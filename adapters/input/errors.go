package input

import (
	"fmt"
	"strings"
)

// An Error says where in the inputs something went wrong, what, and what to
// do. All adapters use it for what ends a run; a record that cannot be read is
// a reject instead.
type Error struct {
	Input string // name of the file, archive member or stream; may be empty
	Row   int64  // number of the record as in [pipeline.Origin]; 0 is the whole input
	Field string // name of the column or field; may be empty
	Err   error  // what was found and what was expected
	Hint  string // what to do, "download it again"; may be empty
}

// Error returns where, what and what to do, as one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Input != "" {
		b.WriteString(e.Input)
		b.WriteString(": ")
	}
	if e.Row != 0 {
		fmt.Fprintf(&b, "row %d: ", e.Row)
	}
	if e.Field != "" {
		fmt.Fprintf(&b, "field %q: ", e.Field)
	}
	b.WriteString(e.Err.Error())
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an [Error] about the whole of input.
func Errorf(input, format string, args ...any) *Error {
	return &Error{Input: input, Err: fmt.Errorf(format, args...)}
}

// Advise sets what to do, and returns e.
func (e *Error) Advise(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}
