package hopper

import (
	"context"

	"hopper/sinks/rybbit/ledger"
)

// Imported is what earlier runs have brought of an export.
type Imported struct {
	// Imports are their ids.
	Imports []string
	// Wire is their wire format; empty where there are none, or several formats.
	Wire string
}

// Imported returns the imports that the export went into, as the ledgers in a
// state directory know them: inputs are recognized by their contents. An empty
// server or site stands for any.
func (e *Export) Imported(ctx context.Context, state, server, site string) (*Imported, error) {
	found := new(Imported)
	held, err := ledger.HeldBy(state, server, site)
	if err != nil || len(held) == 0 {
		return found, err
	}
	sums, err := e.knownBy(state, server, site)
	if err != nil {
		return nil, err
	}
	m, err := e.migration(ctx, sums)
	if err != nil {
		return nil, err
	}
	wires := make(map[string]bool)
	for _, h := range ledger.HeldOf(held, m) {
		for _, imp := range h.Imports {
			found.Imports = append(found.Imports, imp.ID)
			found.Wire, wires[imp.Platform] = imp.Platform, true
		}
	}
	if len(wires) > 1 {
		found.Wire = ""
	}
	return found, nil
}
