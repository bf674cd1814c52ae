package matomo_test

import (
	"testing"

	"hopper/adapters/adaptertest"
	"hopper/adapters/matomo"
)

func TestAdapter(t *testing.T) {
	adaptertest.Run(t, matomo.Adapter{}, adaptertest.Exports(t, "../../fixtures/matomo")...)
}
