package posthog_test

import (
	"testing"

	"hopper/adapters/adaptertest"
	"hopper/adapters/posthog"
)

func TestAdapter(t *testing.T) {
	adaptertest.Run(t, posthog.Adapter{}, adaptertest.Exports(t, "../../fixtures/posthog")...)
}
