package umami_test

import (
	"testing"

	"hopper/adapters/adaptertest"
	"hopper/adapters/umami"
)

func TestAdapter(t *testing.T) {
	adaptertest.Run(t, umami.Adapter{}, adaptertest.Exports(t, "../../fixtures/umami")...)
}
