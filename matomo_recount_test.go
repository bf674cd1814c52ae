package hopper_test

import (
	osexec "os/exec"
	"testing"

	"hopper"
)

// TestMatomoRecount holds the sandbox, after an import, against a recount in Python
// that shares nothing with the adapter.
func TestMatomoRecount(t *testing.T) {
	python, err := osexec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed, in which the recount is written")
	}
	for _, export := range []string{"fixtures/matomo/tables", "fixtures/matomo/visits-log.json"} {
		in := importInto(t, false, hopper.Options{}, export)
		out, err := osexec.Command(python, "testdata/matomo_recount.py", export, in.database).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", export, err, out)
		}
		t.Logf("%s: %s", export, out)
	}
}
