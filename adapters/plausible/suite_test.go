package plausible_test

import (
	"testing"

	"hopper/adapters/adaptertest"
	"hopper/adapters/plausible"
)

func TestAdapter(t *testing.T) {
	adaptertest.Run(t, plausible.Adapter{}, adaptertest.Exports(t, "../../fixtures/plausible")...)
}
