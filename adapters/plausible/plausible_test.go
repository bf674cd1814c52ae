package plausible_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"hopper/adapters"
	"hopper/adapters/plausible"
	"hopper/pipeline"
)

func open(t testing.TB, opt adapters.Options, args ...string) (*adapters.Reading, error) {
	t.Helper()
	opt.TempDir = t.TempDir()
	ins, err := adapters.Open(t.Context(), args, nil, opt.TempDir)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { ins.Close() })
	r, err := plausible.Adapter{}.Open(t.Context(), ins.Files, opt)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { r.Source.Close() })
	return r, nil
}

func verify(t testing.TB, args ...string) *plausible.Verification {
	t.Helper()
	r, err := open(t, adapters.Options{}, args...)
	if err != nil {
		t.Fatal(err)
	}
	v, err := plausible.Verify(context.Background(), r, pipeline.Translation{
		Normalizer: pipeline.Normalizer{Namespace: pipeline.Site("plausible", "1"), Hostname: "example.com"}, Jobs: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const sample = "../../../shared/samples/plausible"

func TestRealExport(t *testing.T) {
	if _, err := os.Stat(sample); errors.Is(err, os.ErrNotExist) {
		t.Skip("the sample is not here")
	}
	v := verify(t, sample)
	v.WriteText(os.Stdout)
	for _, g := range v.Guarantees { t.Log(g) }
	t.Log(v.Stats)
}
