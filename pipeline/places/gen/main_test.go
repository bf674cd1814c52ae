package main

import (
	"maps"
	"slices"
	"testing"
)

func TestVariants(t *testing.T) {
	for name, want := range map[string][]string{
		"Bayern":               {"Bayern"},
		"Madrid, Comunidad de": {"Comunidad de Madrid", "Madrid, Comunidad de"},
		"Araba/Álava":          {"Araba", "Araba/Álava", "Álava"},
		"Sofia (stolitsa)":     {"Sofia", "Sofia (stolitsa)"},
		"Tan-Tan (EH-partial)": {"Tan-Tan", "Tan-Tan (EH-partial)"},
		"Valenciana, Comunidad; Valenciana, Comunitat": {
			"Comunidad Valenciana", "Comunitat Valenciana", "Valenciana, Comunidad", "Valenciana, Comunidad; Valenciana, Comunitat", "Valenciana, Comunitat",
		},
	} {
		if got := variants(name); !slices.Equal(got, want) {
			t.Errorf("variants(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestBareKeys(t *testing.T) {
	type kinds = map[string]bool
	for name, c := range map[string]struct {
		codes map[string]kinds
		want  map[string]string
	}{
		"alone":             {map[string]kinds{"A": {"": true, "province": true}}, map[string]string{"*x": "A"}},
		"a town alone":      {map[string]kinds{"A": {"": true, "city": true}}, map[string]string{"x#": "A", "x#city": "A"}},
		"town and province": {map[string]kinds{"A": {"": true}, "B": {"province": true}}, map[string]string{"x#city": "A", "x#province": "B"}},
		"of two kinds":      {map[string]kinds{"A": {"district": true}, "B": {"province": true, "": true}}, map[string]string{"x#district": "A", "x#province": "B"}},
		"of one kind":       {map[string]kinds{"A": {"county": true}, "B": {"county": true}}, map[string]string{}},
		"of no kind":        {map[string]kinds{"A": {"": true}, "B": {"": true}}, map[string]string{}},
	} {
		if got := bareKeys("x", c.codes); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestNamesResolve(t *testing.T) {
	n := newNames()
	n.add(0, "Lima", "PE-LMA")
	n.add(1, "Lima", "PE-LIM") // a lower rank does not count
	n.add(1, "Dhaka", "BD-13")
	n.add(1, "Dhaka", "BD-C") // one rank, two meanings
	for key, want := range map[string]string{"lima": "PE-LMA", "dhaka": "", "else": ""} {
		if got := n.resolve(key); got != want {
			t.Errorf("resolve(%q) = %q, want %q", key, got, want)
		}
	}
}
