package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hopper"
)

// runFlags are the flags of run.
type runFlags struct {
	*global
	dryRun, json bool
}

func newRun(g *global) *cobra.Command {
	f := &runFlags{global: g}
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Import many sites, as a file says; run again to resume",
		Long: `Import many sites, one after the other, since a server takes one import of an
organization at a time. FILE is YAML:

  state: /var/lib/hopper
  defaults:
    url: https://rybbit.example.com
    api-key: ${RYBBIT_API_KEY}
    new: true
  sites:
    - site: 1
      inputs: [s3://exports/analytics_1234/]
      timezone: Europe/Berlin
    - site: 2
      inputs: [/exports/shop/*.zip]

The keys of a site are the flags of import. ${NAME} is a variable of the
environment, which must be set; $${ is ${. All of FILE is checked before
anything is imported, and a site that fails keeps no other one out. The exit
code is the worst of all sites: 1, then 4, then 3; see hopper import --help.`,
		Example: `  RYBBIT_API_KEY=… hopper run --json sites.yaml
  hopper run --dry-run sites.yaml`,
		Args: args(1, 1, "give the FILE that lists the sites"),
		RunE: f.run,
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "translate and count all sites, upload nothing")
	flags.BoolVar(&f.json, "json", false, "print the results as JSON")
	group(flags, safetyFlags, "dry-run")
	group(flags, outputFlags, "json")
	return cmd
}

// siteResult is what a site's import came to.
type siteResult struct {
	Name string `json:"name"`
	Site string `json:"site,omitempty"`
	// Exit is the exit code that import would have ended with.
	Exit int `json:"exit"`
	*hopper.Result
	Verification *proof `json:"verification,omitempty"`
}

func (f *runFlags) run(cmd *cobra.Command, args []string) error {
	screen, log, err := f.console(cmd)
	if err != nil {
		return err
	}
	entries, err := f.entries(cmd, args[0])
	if err != nil {
		return err
	}
	var failed []string
	worst := exitDone
	results := make([]siteResult, len(entries))
	for i, e := range entries {
		if !f.quiet && f.logFormat == "text" {
			fmt.Fprintf(screen, "site %s (%d of %d)\n", printable(e.name), i+1, len(entries))
		}
		result, err := f.importSite(cmd, e)
		code := exitCode(err)
		results[i] = siteResult{Name: e.name, Site: e.flags.site, Exit: code, Result: result, Verification: e.flags.found}
		if err != nil {
			failed = append(failed, e.name)
			log.Error(fmt.Sprintf("site %s: %v", e.name, err), "event", "site_failed", slog.Group("", "site", e.name, "exit", code))
		}
		worst = worse(worst, code)
	}
	if f.json {
		err = printJSON(cmd.OutOrStdout(), struct {
			Sites []siteResult `json:"sites"`
			Exit  int          `json:"exit"`
		}{results, worst})
	}
	switch {
	case err != nil:
		return err
	case worst == exitInterrupted:
		return errInterrupted
	case worst != exitDone:
		return &exitError{worst, fmt.Errorf("%d of %d sites did not end well: %s", len(failed), len(entries), strings.Join(failed, ", "))}
	}
	return nil
}

// entries reads the file and checks what it says of each site.
func (f *runFlags) entries(cmd *cobra.Command, path string) ([]*entry, error) {
	state, entries, err := readSites(path, f.global)
	if err != nil {
		return nil, err
	}
	if f.state == "" {
		f.state = state
	}
	for _, e := range entries {
		e.flags.dryRun = f.dryRun
		e.cmd.SetContext(cmd.Context())
		e.cmd.SetIn(cmd.InOrStdin())
		// What import prints for people goes where it does no harm to JSON.
		e.cmd.SetErr(cmd.ErrOrStderr())
		e.cmd.SetOut(cmd.ErrOrStderr())
		e.cmd.PreRun(e.cmd, nil)
		if _, _, err := e.flags.ready(e.cmd); err != nil {
			return nil, usagef("%s:%d: site %s: %w", path, e.line, e.name, err)
		}
	}
	return entries, nil
}

// importSite imports one site. There is a result whatever the error.
func (f *runFlags) importSite(cmd *cobra.Command, e *entry) (result *hopper.Result, err error) {
	if cmd.Context().Err() != nil {
		err := interrupted(cmd.Context(), cmd.Context().Err())
		return failedEarly(e.args, err), err
	}
	result, sandboxed, err := e.flags.perform(e.cmd, e.args)
	if sandboxed != nil {
		defer func() { err = errors.Join(err, sandboxed.close()) }()
	}
	if result == nil {
		return failedEarly(e.args, err), err
	}
	return result, e.flags.tell(e.cmd, result, sandboxed, err)
}

// badness orders exit codes: what running again mends is better than what it does not.
var badness = []int{exitDone, exitRejects, exitAway, exitFailed, exitUsage, exitInterrupted}

func worse(a, b int) int {
	if slices.Index(badness, b) > slices.Index(badness, a) {
		return b
	}
	return a
}
