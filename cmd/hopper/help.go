package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hopper"
	"hopper/sinks/rybbit/wire"
)

// flagGroup is a heading under which help lists flags.
type flagGroup string

const (
	inputFlags   flagGroup = "Reading the inputs"
	serverFlags  flagGroup = "The server"
	privacyFlags flagGroup = "Privacy"
	safetyFlags  flagGroup = "Safety"
	outputFlags  flagGroup = "Output"
	otherFlags   flagGroup = "Flags"
)

var flagGroups = []flagGroup{inputFlags, privacyFlags, serverFlags, safetyFlags, otherFlags, outputFlags}

// groupKey is the annotation of a flag that holds its group.
const groupKey = "hopper_group"

// group puts flags under a heading.
func group(flags *pflag.FlagSet, g flagGroup, names ...string) {
	for _, name := range names {
		if err := flags.SetAnnotation(name, groupKey, []string{string(g)}); err != nil {
			panic(err) // a flag of that name is defined some lines above
		}
	}
}

// usage prints how a command is used, its flags under headings.
func usage(cmd *cobra.Command) error {
	out := cmd.OutOrStderr()
	fmt.Fprintf(out, "Usage:\n  %s\n", cmd.UseLine())
	if cmd.HasExample() {
		fmt.Fprintf(out, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(out, "\nCommands:\n")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				fmt.Fprintf(out, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
	all := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	all.AddFlagSet(cmd.LocalFlags())
	all.AddFlagSet(cmd.InheritedFlags())
	for _, g := range flagGroups {
		of := pflag.NewFlagSet(string(g), pflag.ContinueOnError)
		of.SortFlags = false
		all.VisitAll(func(f *pflag.Flag) {
			if groupOf(f) == g {
				of.AddFlag(f)
			}
		})
		if of.HasAvailableFlags() {
			fmt.Fprintf(out, "\n%s:\n%s", g, of.FlagUsages())
		}
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(out, "\nSee %s COMMAND --help for more.\n", cmd.CommandPath())
	}
	return nil
}

func groupOf(f *pflag.Flag) flagGroup {
	if g := f.Annotations[groupKey]; len(g) > 0 {
		return flagGroup(g[0])
	}
	if f.Name == "help" || f.Name == "version" {
		return outputFlags
	}
	return otherFlags
}

// explainFlag says what is wrong with a flag in words.
func explainFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if similar := nearestName(name, names); similar != "" {
			return usagef("unknown flag: --%s; did you mean --%s?", name, similar)
		}
	case errors.As(err, &invalid):
		flag := invalid.GetFlag()
		switch flag.Value.Type() {
		case "int", "int64":
			return usagef("--%s: a whole number is needed, as 4, not %q", flag.Name, invalid.GetValue())
		case "duration":
			return usagef("--%s: a duration is needed, as 15m or 90s, not %q", flag.Name, invalid.GetValue())
		}
	}
	return usagef("%w", err)
}

// nearestName returns the one of names that a name may be a slip of, or "".
func nearestName(name string, names []string) string {
	best, least := "", 3
	for _, other := range names {
		if d := distance(name, other); d < least {
			best, least = other, d
		}
	}
	return best
}

// distance is the number of letters to add, remove or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := last
			if a[i] != b[j] {
				change++
			}
			last, row[j+1] = row[j+1], min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// completeValues has shells complete the values of flags.
func completeValues(root *cobra.Command) {
	values := map[string][]string{
		"from": append([]string{"auto"}, hopper.SourceNames()...), "log-format": {"text", "json"},
		"release": {"2.7"},
	}
	for _, f := range wire.Formats() {
		values["platforms"] = append(values["platforms"], f.Platform())
	}
	values["wire"] = append([]string{"auto"}, values["platforms"]...)
	for _, o := range hopper.SourceOptions() {
		values[o.Name] = o.Values
	}
	visit(root, func(cmd *cobra.Command) {
		complete := func(f *pflag.Flag) {
			switch {
			case f.Name == "state":
				check(cmd.MarkPersistentFlagDirname("state"))
			case strings.HasSuffix(f.Name, "file"), f.Name == "rejects", f.Name == "db":
				check(cmd.MarkFlagFilename(f.Name))
			case f.Name == "timezone":
				check(cmd.RegisterFlagCompletionFunc(f.Name, completeZones))
			case values[f.Name] != nil:
				check(cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(slices.Clone(values[f.Name]), cobra.ShellCompDirectiveNoFileComp)))
			}
		}
		cmd.LocalNonPersistentFlags().VisitAll(complete)
		if cmd == root {
			cmd.PersistentFlags().VisitAll(complete)
		}
	})
}

// completeZones offers the zones of the machine's zone database, and some of
// them where it has none: the one inside the binary does not list its names.
func completeZones(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	zones := []string{"UTC"}
	table, err := os.ReadFile("/usr/share/zoneinfo/zone.tab")
	if err != nil {
		zones = append(zones, "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "Asia/Tokyo", "Australia/Sydney")
	}
	// Country, coordinates, zone and a remark, by tabs: zone.tab's own header.
	for line := range strings.Lines(string(table)) {
		if fields := strings.Split(strings.TrimSpace(line), "\t"); len(fields) > 2 && !strings.HasPrefix(line, "#") {
			zones = append(zones, fields[2])
		}
	}
	slices.Sort(zones)
	return zones, cobra.ShellCompDirectiveNoFileComp
}

func visit(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, sub := range cmd.Commands() {
		visit(sub, do)
	}
}

// check panics: only a flag that does not exist fails to be marked.
func check(err error) {
	if err != nil {
		panic(err)
	}
}
