package simpleanalytics_test

import (
	"testing"

	"hopper/adapters/adaptertest"
	"hopper/adapters/simpleanalytics"
)

func TestAdapter(t *testing.T) {
	adaptertest.Run(t, simpleanalytics.Adapter{}, adaptertest.Exports(t, "../../fixtures/simpleanalytics")...)
}
