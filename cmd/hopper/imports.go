package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"hopper/adapters"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/ledger"
)

func newImports(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "imports",
		Short: "List, close and delete what the server holds",
		Args:  subcommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("imports needs one of list, close, delete, clean")
		},
	}
	cmd.AddCommand(newImportsList(g), newImportsClose(g), newImportsDelete(g), newImportsClean(g))
	return cmd
}

// importRow is an import as the server and as the ledger see it.
type importRow struct {
	rybbit.Import
	Ledger *ledger.Record `json:"ledger,omitempty"`
	// Gone marks an import that the ledger knows and the server does not.
	Gone bool `json:"gone,omitempty"`
	// Unlisted marks one that the server has, though its list is too short for it.
	Unlisted bool `json:"unlisted,omitempty"`
}

func newImportsList(g *global) *cobra.Command {
	var conn connectionFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List a site's imports, as the server and as the ledgers see them",
		Args:  args(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			state, err := g.stateDir()
			if err != nil {
				return err
			}
			_, log, err := g.console(cmd)
			if err != nil {
				return err
			}
			client, err := conn.client(log)
			if err != nil {
				return err
			}
			defer client.Close()
			rows, err := listImports(cmd.Context(), client, state)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), rows)
			}
			return printImports(cmd.OutOrStdout(), rows)
		},
	}
	conn.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func listImports(ctx context.Context, client *rybbit.Client, state string) ([]importRow, error) {
	imports, err := client.Imports(ctx)
	if err != nil {
		return nil, err
	}
	records, err := ledger.Records(state, client.Server(), client.Site())
	if err != nil {
		return nil, err
	}
	rows := make([]importRow, 0, len(imports))
	known := make(map[string]*ledger.Record)
	for i := range records {
		known[records[i].Import] = &records[i]
	}
	for _, imp := range imports {
		rows = append(rows, importRow{Import: imp, Ledger: known[imp.ID]})
		delete(known, imp.ID)
	}
	for i := range records {
		r := &records[i]
		if known[r.Import] == nil {
			continue
		}
		presence := rybbit.Absent
		if len(imports) >= rybbit.ListedImports {
			if presence, err = client.Probe(ctx, r.Import); err != nil {
				return nil, err
			}
		}
		rows = append(rows, importRow{
			Import: rybbit.Import{ID: r.Import, Platform: r.Platform}, Ledger: r,
			Gone: presence == rybbit.Absent, Unlisted: presence != rybbit.Absent,
		})
	}
	return rows, nil
}

func printImports(out io.Writer, rows []importRow) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "IMPORT\tWIRE\tSTARTED\tSTATUS\tIMPORTED\tSKIPPED\tINVALID\tLEDGER\tINPUTS")
	for _, r := range rows {
		status := "complete"
		switch {
		case r.Gone:
			status = "gone"
		case r.Unlisted:
			status = "not listed"
		case r.Completed == nil:
			status = "open"
		}
		settled, inputs := "-", "-"
		if r.Ledger != nil {
			settled = humanize.Comma(r.Ledger.Stored)
			switch {
			case r.Ledger.Pending > 0:
				settled += fmt.Sprintf(" + %s unsettled", humanize.Comma(r.Ledger.Pending))
			case r.Ledger.Stored != r.Total() && !r.Gone && !r.Unlisted:
				settled += " (differs)"
			}
			inputs = printable(strings.Join(r.Ledger.Inputs, " "))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, printable(r.Platform), printable(r.Started), status,
			humanize.Comma(r.Imported), humanize.Comma(r.Skipped), humanize.Comma(r.Invalid), settled, inputs)
	}
	if err := table.Flush(); err != nil || len(rows) < rybbit.ListedImports {
		return err
	}
	_, err := fmt.Fprintf(out, "The server lists the %d newest imports of a site alone; older ones that a ledger knows are \"not listed\".\n",
		rybbit.ListedImports)
	return err
}

func newImportsClose(g *global) *cobra.Command {
	return newImportsAction(g, "close", "Close open imports, keeping their events", "closed",
		func(ctx context.Context, client *rybbit.Client, state, id string) error {
			switch presence, err := client.Probe(ctx, id); { // the list is too short for some
			case err != nil:
				return err
			case presence == rybbit.Ended:
				return errors.New("is complete already; nothing was done")
			case presence == rybbit.Absent:
				return errors.New("is unknown to the server; hopper imports list shows those that it knows")
			}
			if err := client.Complete(ctx, id); err != nil {
				return err
			}
			return ledger.NoteClosed(state, client.Server(), client.Site(), id)
		})
}

func newImportsDelete(g *global) *cobra.Command {
	return newImportsAction(g, "delete", "Delete imports and their events; an open one is closed first", "deleted",
		func(ctx context.Context, client *rybbit.Client, state, id string) error {
			err := client.Delete(ctx, id)
			var refused *rybbit.StatusError
			if errors.As(err, &refused) && refused.Status == http.StatusBadRequest {
				// The server deletes no import that is open.
				if err := client.Complete(ctx, id); err != nil {
					return err
				}
				err = client.Delete(ctx, id)
			}
			if gone, listErr := isGone(ctx, client, state, id, err); listErr != nil || err != nil && !gone {
				return errors.Join(err, listErr)
			}
			return ledger.NoteDeleted(state, client.Server(), client.Site(), id)
		})
}

// isGone reports whether an import of a ledger, which the server does not know
// by its answer to a delete, is no longer there: the answer to an earlier
// delete may have been lost. An unknown site would refuse the list as well.
func isGone(ctx context.Context, client *rybbit.Client, state, id string, err error) (bool, error) {
	var refused *rybbit.StatusError
	if !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
		return false, nil
	}
	rows, err := listImports(ctx, client, state)
	return slices.ContainsFunc(rows, func(r importRow) bool { return r.ID == id && r.Gone }), err
}

func newImportsAction(
	g *global, name, short, past string,
	act func(ctx context.Context, client *rybbit.Client, state, id string) error,
) *cobra.Command {
	var conn connectionFlags
	cmd := &cobra.Command{
		Use: name + " IMPORT...", Short: short, Args: args(1, -1, "give the id of an import; hopper imports list shows them"),
		RunE: func(cmd *cobra.Command, ids []string) error {
			state, err := g.stateDir()
			if err != nil {
				return err
			}
			_, log, err := g.console(cmd)
			if err != nil {
				return err
			}
			client, err := conn.client(log)
			if err != nil {
				return err
			}
			defer client.Close()
			for _, id := range ids {
				if err := act(cmd.Context(), client, state, id); err != nil {
					return fmt.Errorf("import %s: %w", id, explainID(err))
				}
				log.Info(past, "event", "import_"+past, "import", id)
			}
			return nil
		},
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, given []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return completeImports(g, &conn, given), cobra.ShellCompDirectiveNoFileComp
	}
	conn.register(cmd)
	return cmd
}

// completeImports returns the imports that the ledgers know of the site, or of all sites
// where a shell does not know which is meant. The server is not asked.
func completeImports(g *global, conn *connectionFlags, given []string) []cobra.Completion {
	state, err := g.stateDir()
	if err != nil {
		return nil
	}
	server, site := "", ""
	if client, err := conn.client(slog.New(slog.DiscardHandler)); err == nil {
		server, site = client.Server(), client.Site()
		client.Close()
	}
	records, err := ledger.Records(state, server, site)
	if err != nil {
		return nil
	}
	var ids []cobra.Completion
	for _, r := range records {
		if !slices.Contains(given, r.Import) {
			ids = append(ids, cobra.CompletionWithDesc(r.Import, printable(fmt.Sprintf("%s, %s", strings.Join(adapters.Few(r.Inputs, 3), ", "), plural(r.Stored, "event", "events")))))
		}
	}
	return ids
}

// explainID says of a refused id what the server means: it checks an id's form first,
// and then whether the site has it.
func explainID(err error) error {
	var refused *rybbit.StatusError
	switch {
	case !errors.As(err, &refused) || refused.Foreign:
		return err
	case refused.Status == http.StatusBadRequest:
		return fmt.Errorf("is no import's id; hopper imports list shows them (%w)", err)
	case refused.Status == http.StatusNotFound:
		return fmt.Errorf("there is no such import at the site: it is deleted already, or --url or --site is another one's (%w)", err)
	}
	return err
}

func newImportsClean(g *global) *cobra.Command {
	var age string
	var try bool
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove the ledgers of migrations that were complete long ago",
		Long: `Remove the ledgers and rejects of complete migrations from the state directory.
Nothing in Rybbit changes, but importing the same inputs again would store
their events twice.`,
		Args: args(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			days, err := parseAge(age)
			if err != nil {
				return err
			}
			state, err := g.stateDir()
			if err != nil {
				return err
			}
			removed, bytes, err := ledger.Clean(state, time.Now().Add(-days), try)
			for _, path := range removed {
				fmt.Fprintln(cmd.OutOrStdout(), printable(path))
			}
			if !g.quiet && err == nil {
				did := "removed"
				if try {
					did = "would remove"
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s %s (%s) of migrations that were complete before %s\n",
					did, plural(int64(len(removed)), "ledger", "ledgers"), humanize.Bytes(uint64(bytes)), time.Now().Add(-days).Format(time.DateOnly))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&try, "dry-run", false, "say what would be removed, remove nothing")
	cmd.Flags().StringVar(&age, "older-than", "90d", "`AGE` in days (90d) or hours (12h)")
	return cmd
}

func parseAge(s string) (time.Duration, error) {
	unit := time.Hour
	number, isDays := strings.CutSuffix(s, "d")
	if isDays {
		unit = 24 * time.Hour
	} else {
		number = strings.TrimSuffix(s, "h")
	}
	var n int
	if _, err := fmt.Sscanf(number, "%d", &n); err != nil || n < 0 || number != fmt.Sprint(n) || s == number {
		return 0, usagef("--older-than: %q is no age such as 90d or 12h", s)
	}
	return time.Duration(n) * unit, nil
}
