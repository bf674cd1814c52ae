package ga_test

import (
	"testing"

	"hopper/adapters/adaptertest"
	"hopper/adapters/ga"
)

func TestAdapter(t *testing.T) {
	adaptertest.Run(t, ga.Adapter{}, adaptertest.Exports(t, "../../fixtures/ga")...)
}
