package events_test

import (
	"testing"

	"hopper/adapters/adaptertest"
	"hopper/adapters/events"
)

func TestAdapter(t *testing.T) {
	adaptertest.Run(t, events.Adapter{}, adaptertest.Exports(t, "../../fixtures/events")...)
}
