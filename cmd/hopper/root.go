package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// global are the flags of all commands.
type global struct {
	quiet     bool
	logFormat string
	state     string
}

func newRoot() *cobra.Command {
	g := new(global)
	root := &cobra.Command{
		Use:   "hopper",
		Short: "Move a site's analytics history into Rybbit",
		Long: `hopper moves a site's analytics history into Rybbit: exports of Umami,
Plausible and Google Analytics, each event exactly once.

  hopper import --sandbox website_event.csv     try it on a local sandbox
  hopper inspect export.zip                     what is in it, what would be lost
  hopper import --site 1 export.zip             upload; run again to resume`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%w", err) })
	flags := root.PersistentFlags()
	flags.BoolVarP(&g.quiet, "quiet", "q", false, "say nothing on stderr but errors")
	flags.StringVar(&g.logFormat, "log-format", "text", "`FORMAT` of messages on stderr: text or json")
	flags.StringVar(&g.state, "state", "", "`DIR` for ledgers and rejects (default $XDG_STATE_HOME/hopper)")
	root.AddCommand(
		newImport(g), newInspect(g), newVerify(g), newImports(g), newSandbox(g), newVersion(), newCompletion(),
	)
	return root
}

// stateDir is where ledgers, rejects and the embedded sandbox live.
func (g *global) stateDir() (string, error) {
	if g.state != "" {
		return g.state, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "hopper"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", usagef("no place for the ledger: set --state or HOME (%w)", err)
	}
	return filepath.Join(home, ".local", "state", "hopper"), nil
}

// console returns a command's stderr, and what writes messages to it: for
// people, or as JSON lines for machines.
func (g *global) console(cmd *cobra.Command) (*screen, *slog.Logger, error) {
	s := newScreen(cmd.ErrOrStderr())
	level := slog.LevelInfo
	if g.quiet {
		level = slog.LevelError
	}
	switch g.logFormat {
	case "text":
		return s, slog.New(&textHandler{out: s, level: level}), nil
	case "json":
		return s, slog.New(slog.NewJSONHandler(s, &slog.HandlerOptions{Level: level})), nil
	}
	return nil, nil, usagef("--log-format is text or json, not %q", g.logFormat)
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "hopper", version)
			return err
		},
	}
}

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a completion script for a shell",
		Long: `Print a completion script, to be loaded by the shell:

  source <(hopper completion bash)`,
		Args: args(1, 1), ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return usagef("no completion for %q: bash, zsh, fish and powershell have one", args[0])
		},
	}
}

// args checks the number of arguments; most below 0 is no limit.
func args(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s: an argument is missing: %s", cmd.CommandPath(), cmd.UseLine())
		case most >= 0 && len(args) > most:
			return usagef("%s: unexpected argument %q: %s", cmd.CommandPath(), args[most], cmd.UseLine())
		}
		return nil
	}
}
