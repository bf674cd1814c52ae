package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// global are the flags of all commands.
type global struct {
	quiet     bool
	logFormat string
	state     string
	// screen is where the command that runs prints; nil before it does.
	screen *screen
	// stdout takes data: as it is, or printable where it is a terminal.
	stdout io.Writer
	// uploads says that a batch may be in flight.
	uploads bool
}

func newRoot() (*cobra.Command, *global) {
	g := new(global)
	root := &cobra.Command{
		Use:   "hopper",
		Short: "Move a site's analytics history into Rybbit",
		Long: `hopper moves a site's analytics history into Rybbit: exports of Umami,
Plausible and Google Analytics, each event exactly once.

  hopper import --sandbox website_event.csv     try it on a local sandbox
  hopper inspect export.zip                     what is in it, what would be lost
  hopper import --site 1 export.zip             upload; run again to resume`,
		Version:       longVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          subcommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(explainFlag)
	root.SetUsageFunc(usage)
	root.SetHelpCommand(newHelp())
	flags := root.PersistentFlags()
	flags.BoolVarP(&g.quiet, "quiet", "q", false, "say nothing on stderr but errors")
	flags.StringVar(&g.logFormat, "log-format", "text", "`FORMAT` of messages on stderr: text or json")
	flags.StringVar(&g.state, "state", "", "`DIR` for ledgers and rejects (default $XDG_STATE_HOME/hopper)")
	group(flags, outputFlags, "quiet", "log-format", "state")
	root.AddCommand(
		newImport(g), newInspect(g), newTranslate(g), newVerify(g), newRun(g), newImports(g), newSandbox(g), newVersion(), newCompletion(), newMan(),
	)
	completeValues(root)
	return root, g
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
	g.screen = s
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

// longVersion also names the commit, Go and the platform.
func longVersion() string {
	number, commit := version, ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if number == "dev" && info.Main.Version != "" && info.Main.Version != "(devel)" {
			number = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value[:min(len(s.Value), 12)]
			}
		}
	}
	return fmt.Sprintf("hopper %s (commit %s, %s, %s/%s)", number, cmp.Or(commit, "unknown"), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: args(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), longVersion())
			return err
		},
	}
}

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the manual pages into a directory",
		Example: "  hopper man /usr/local/share/man/man1",
		Args:    args(1, 1, "give the directory to write to"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			cmd.Root().DisableAutoGenTag = true
			return doc.GenManTree(cmd.Root(), &doc.GenManHeader{Title: "HOPPER", Section: "1", Source: "hopper"}, args[0])
		},
	}
}

func newCompletion() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a completion script for a shell",
		Long: `Print a completion script, to be loaded by the shell:

  source <(hopper completion bash)`,
		Args: args(1, 1, "give a shell: bash, zsh, fish or powershell"), ValidArgs: shells,
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

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return subcommand(found, rest)
			}
			return found.Help()
		},
	}
}

// args checks the number of arguments; most below 0 is no limit. Missing says
// what to give.
func args(least, most int, missing string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s: %s", cmd.CommandPath(), missing)
		case most >= 0 && len(args) > most:
			return usagef("%s: unexpected argument %q", cmd.CommandPath(), args[most])
		}
		return nil
	}
}

// inputs are the arguments of a command that reads.
func inputs() cobra.PositionalArgs {
	return args(1, -1, "give at least one INPUT: a file, a directory, a glob, an address or -")
}

// subcommand refuses a command that does not exist.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	if similar := nearestName(args[0], names); similar != "" {
		return usagef("%s has no command %q; did you mean %s?", cmd.CommandPath(), args[0], similar)
	}
	return usagef("%s has no command %q", cmd.CommandPath(), args[0])
}
