package hopper

import (
	"context"
	"slices"
	"strings"

	"hopper/adapters/input"
	"hopper/sinks/rybbit"
)

// migration identifies what is being moved. Options that change neither which
// events there are nor what they hold stay out of it.
func (e *Export) migration(ctx context.Context) (rybbit.Migration, error) {
	var identity *input.Identity
	err := e.checking(func() (err error) {
		identity, err = e.inputs.Identify(ctx)
		return err
	})
	if err != nil {
		return rybbit.Migration{}, err
	}
	m := rybbit.Migration{
		Source: e.adapter.Name(), Since: e.options.Since, Until: e.options.Until,
		// Earlier builds always wrote these five.
		Options: map[string]string{"timezone": e.options.Timezone, "hostname": e.options.Hostname, "website": "", "ga-events": "default", "dedupe": "false"},
	}
	for name, value := range e.options.Chosen {
		m.Options[name] = value
	}
	for _, p := range identity.Stored {
		m.Inputs = append(m.Inputs, rybbit.InputID{Name: p.Name, Size: p.Size, SHA256: p.SHA256, Joined: e.joined(p.Name)})
	}
	return m, nil
}

// joined reports whether nothing of what an argument names holds events.
func (e *Export) joined(argument string) bool {
	return len(e.match.Joined) > 0 && !slices.ContainsFunc(e.inputs.Files, func(in *input.Input) bool {
		return (in.Name == argument || strings.HasPrefix(in.Name, argument+"/")) && !slices.Contains(e.match.Joined, in)
	})
}
