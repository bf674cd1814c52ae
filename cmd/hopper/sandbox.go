package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/sandbox"
)

func newSandbox(g *global) *cobra.Command {
	var (
		listen  string
		faults  []string
		maxBody size
		opt     sandbox.Options
	)
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run a local server that behaves as Rybbit's import API does",
		Long: `Run a local server that behaves as Rybbit's API does, to try things on.
What it accepts is in a SQLite file that can be queried while it runs:

  hopper sandbox --db /tmp/sandbox.db &
  RYBBIT_API_KEY=sandbox hopper import --url http://127.0.0.1:8787 --site 1 export.zip
  sqlite3 /tmp/sandbox.db 'SELECT * FROM daily'

http://127.0.0.1:8787/ shows the imported site in a browser; statistics and SQL
answer as Rybbit's do.

--fault makes it misbehave. A fault is CALL[@WHEN]=EFFECT[,OPTION]...:

  events@2=lost            store the second batch and lose the answer
  events@3-=500            answer 500 from the third batch on
  events=10%#7=cut,at=50%  cut one connection in ten in the middle (seed 7)
  create@1=429,retry=30s   refuse the first import for 30 seconds
  events=413,above=1MB     what a small proxy does
  events@2=late,for=20m    store, and answer when nobody waits any more
  events@4=delete          delete the import under the client's hands
  events@3=restart,for=5s  reset all connections, then refuse new ones for 5 seconds
  events=restart,above=8MB die of a batch that is too large for the server's heap
  list@2=empty,for=5s      list no import for 5 seconds
  list=lag,for=8s          list the imports as they were 8 seconds ago

CALL is create, events, list, delete, stats, query or any; WHEN is 3, 3-5, 3-, /4 or 10%;
EFFECT is a status, cut, lost, slow, late, complete, expire, delete, abort,
uncounted, lag, empty or restart.`,
		Args: args(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, spec := range faults {
				more, err := sandbox.ParseFaults(spec)
				if err != nil {
					return usagef("--fault: %w", err)
				}
				opt.Faults = append(opt.Faults, more...)
			}
			opt.MaxBody = int64(maxBody)
			if folder := filepath.Dir(opt.Path); opt.Path != "" {
				if _, err := os.Stat(folder); err != nil {
					return fmt.Errorf("--db: the folder %s does not exist", folder)
				}
			}
			server, err := sandbox.Open(cmd.Context(), opt)
			if err != nil {
				return usagef("%w", err)
			}
			defer server.Close()
			listener, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "sandbox: listening on http://%s, site %s, key %q, database %s\n",
				listener.Addr(), opt.Site, opt.Key, server.Path())
			return server.Serve(cmd.Context(), listener)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8787", "`ADDRESS` to listen on")
	f.StringVar(&opt.Path, "db", "", "SQLite `FILE` to keep what is accepted (default: a temporary one)")
	f.StringVar(&opt.Key, "key", "sandbox", "`KEY` that may import")
	f.StringVar(&opt.Site, "site", "1", "`SITE` that exists")
	f.StringSliceVar(&opt.Platforms, "platforms", nil, "wire formats that the server knows (`umami,plausible`; default all)")
	f.StringVar(&opt.Release, "release", "", "`VERSION` to play: 2.7, or the newest")
	f.BoolVar(&opt.Cloud, "cloud", false, "complete imports after two hours, as Rybbit Cloud does")
	f.Var(&maxBody, "max-body", "largest body to take (default 50MB)")
	f.BoolVar(&opt.ProxyHTML, "proxy-html", false, "refuse larger bodies with a proxy's page")
	f.Int64Var(&opt.MonthlyQuota, "monthly-quota", 0, "skip events beyond `N` of a month")
	f.IntVar(&opt.Budget, "budget", 0, "take `N` requests a day, then answer 429")
	f.Float64Var(&opt.Pace, "pace", 0, "take `TIMES` as long for a batch as a real server: 1 is as slow, 0 as fast as it can")
	f.StringSliceVar(&opt.Scopes, "scopes", nil, "what the key may do (`sites:write,sql:read`; default all)")
	f.BoolVar(&opt.NoSQL, "no-sql", false, "have no SQL route, as older servers")
	f.StringArrayVar(&faults, "fault", nil, "let something go wrong (`SPEC`, repeatable)")
	return cmd
}

// embedded is a sandbox within the process.
type embedded struct {
	server *sandbox.Server
	client *rybbit.Client
	stop   context.CancelFunc
	done   chan error
}

// embed starts a sandbox whose database stays in the state directory, so that
// migrations into it can be interrupted and resumed like any other.
func embed(ctx context.Context, state string) (*embedded, error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	const key, site = "sandbox", "1"
	server, err := sandbox.Open(ctx, sandbox.Options{Path: filepath.Join(state, "sandbox.db"), Key: key, Site: site})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	e := &embedded{server: server, done: make(chan error, 1)}
	// It must outlive an interrupt, to answer what is in flight.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	go func() { e.done <- server.Serve(serving, listener) }()
	e.client, err = rybbit.NewClient("http://"+listener.Addr().String(), site, key, rybbit.ClientOptions{Version: version})
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *embedded) close() error {
	e.stop()
	return errors.Join(<-e.done, e.server.Close())
}

// report prints what the imports of a migration have become, as Rybbit would
// show it.
func (e *embedded) report(ctx context.Context, out io.Writer, imports []string) error {
	if len(imports) == 0 {
		return nil
	}
	const of = " FROM events WHERE import_id IN (SELECT value FROM json_each(?))"
	ids, err := jsonText(imports)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var users, sessions, pageviews, custom int64
	row := e.server.DB().QueryRowContext(ctx, `SELECT count(DISTINCT user_id), count(DISTINCT session_id),
		coalesce(sum(kind = 'pageview'), 0), coalesce(sum(kind <> 'pageview'), 0)`+of, ids)
	if err := row.Scan(&users, &sessions, &pageviews, &custom); err != nil {
		return err
	}
	fmt.Fprintf(table, "\nWhat Rybbit would show:\n  users\t%s\n  sessions\t%s\n  pageviews\t%s\n  other events\t%s\n",
		humanize.Comma(users), humanize.Comma(sessions), humanize.Comma(pageviews), humanize.Comma(custom))
	for _, top := range []struct{ title, column, where string }{
		{"Pages", "pathname", " AND kind = 'pageview'"},
		{"Referrers", "referrer", " AND referrer <> ''"},
		{"Events", "event_name", " AND event_name <> ''"},
		{"Countries", "country", " AND country <> ''"},
		{"Browsers", "browser", " AND browser <> ''"},
	} {
		rows, err := e.server.DB().QueryContext(ctx,
			"SELECT "+top.column+", count(*) AS n"+of+top.where+" GROUP BY 1 ORDER BY n DESC, 1 LIMIT 5", ids)
		if err != nil {
			return err
		}
		heading := "\n" + top.title + ":\n"
		for rows.Next() {
			var name string
			var n int64
			if err := rows.Scan(&name, &n); err != nil {
				return errors.Join(err, rows.Close())
			}
			fmt.Fprintf(table, "%s  %s\t%s\n", heading, printable(name), humanize.Comma(n))
			heading = ""
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
	fmt.Fprintf(table, "\nAll of it: sqlite3 %s 'SELECT * FROM sessions'\n", e.server.Path())
	fmt.Fprintf(table, "In a browser: hopper sandbox --db %s, then http://127.0.0.1:8787/\n", e.server.Path())
	return table.Flush()
}
