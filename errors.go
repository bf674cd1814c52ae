package hopper

import (
	"errors"
	"fmt"

	"hopper/adapters/input"
	"hopper/adapters/input/spill"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/ledger"
)

// An OptionError is a choice that cannot be: the caller must change it.
type OptionError struct {
	Option string // as the command's flag is called, without dashes
	Err    error
}

func (e *OptionError) Error() string { return fmt.Sprintf("--%s: %v", e.Option, e.Err) }
func (e *OptionError) Unwrap() error { return e.Err }

func optionErrorf(option, format string, args ...any) error {
	return &OptionError{option, fmt.Errorf(format, args...)}
}

// Again reports whether err is of the kind that passes, so that running again
// goes on: a server or a store that is away, a full disk, a migration that another process
// is running.
func Again(err error) bool {
	var away *rybbit.AwayError
	var rewind *rybbit.RewindError
	var store *input.AwayError
	return spill.Full(err) || errors.As(err, &store) || errors.As(err, &away) || errors.As(err, &rewind) || errors.Is(err, ledger.ErrWrite) || errors.Is(err, ledger.ErrLocked) ||
		rybbit.Temporary(err)
}
