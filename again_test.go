package hopper_test

import (
	"errors"
	"fmt"
	"testing"

	"hopper"
	"hopper/adapters/input"
	"hopper/adapters/input/spill"
)

// A full disk and a store that is away are worth another run, a damaged file is not.
func TestAgain(t *testing.T) {
	cause := errors.New("cause")
	for _, c := range []struct {
		err  error
		want bool
	}{
		{input.Errorf("a.csv", "sorting: %w", &spill.FullError{Dir: "/tmp", Err: cause}), true},
		{fmt.Errorf("fingerprint: %w", input.Errorf("s3://b/a.csv", "cannot be read: %w", &input.AwayError{Err: cause})), true},
		{input.Errorf("a.csv", "is damaged"), false},
	} {
		if got := hopper.Again(c.err); got != c.want {
			t.Errorf("%v: got %v", c.err, got)
		}
	}
}
