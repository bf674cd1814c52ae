package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"

	"hopper/sinks/rybbit/sandbox"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hopper": main})
}

// TestStories runs testdata/*.txt: each is a story of what a user types and
// sees. Beside testscript's own commands they have
//
//	rybbit [FAULT...]    starts a server and sets the environment to use it
//	track TIME...        has the site's own tracker record a pageview at each time
//	sql FILE QUERY       prints the rows of a query, columns joined by "|"
//
// and $FIXTURES, where the exports are.
func TestStories(t *testing.T) {
	fixtures, err := filepath.Abs("../../fixtures")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("FIXTURES", fixtures)
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else each command takes a second more to end
			env.Values[running{}] = new(*sandbox.Server)
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"rybbit": startRybbit,
			"track":  track,
			"sql":    query,
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

func startRybbit(ts *testscript.TestScript, neg bool, args []string) {
	opt := sandbox.Options{Path: ts.MkAbs("rybbit.db"), Key: "a-secret-key"}
	for _, arg := range args {
		if platforms, ok := strings.CutPrefix(arg, "--platforms="); ok {
			opt.Platforms = strings.Split(platforms, ",")
			continue
		}
		if release, ok := strings.CutPrefix(arg, "--release="); ok {
			opt.Release = release
			continue
		}
		faults, err := sandbox.ParseFaults(arg)
		ts.Check(err)
		opt.Faults = append(opt.Faults, faults...)
	}
	server, err := sandbox.Open(context.Background(), opt)
	ts.Check(err)
	*ts.Value(running{}).(**sandbox.Server) = server
	web := httptest.NewServer(server)
	ts.Defer(func() {
		web.CloseClientConnections()
		web.Close()
		ts.Check(server.Close())
	})
	ts.Setenv("RYBBIT_URL", web.URL)
	ts.Setenv("RYBBIT_SITE", "1")
	ts.Setenv("RYBBIT_API_KEY", "a-secret-key")
}

// running is the key of the server that a story has started.
type running struct{}

func track(ts *testscript.TestScript, neg bool, args []string) {
	server := *ts.Value(running{}).(**sandbox.Server)
	for i, arg := range args {
		at, err := time.Parse(time.RFC3339, arg)
		ts.Check(err)
		visit := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		ts.Check(server.Track(context.Background(), sandbox.Tracked{
			Time: at, Type: "pageview", SessionID: visit, UserID: visit, Hostname: "a.example", Pathname: "/live",
		}))
	}
}

func query(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sql FILE QUERY")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	rows, err := db.Query(args[1])
	ts.Check(err)
	defer rows.Close()
	columns, err := rows.Columns()
	ts.Check(err)
	for rows.Next() {
		cells := make([]any, len(columns))
		texts := make([]string, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		ts.Check(rows.Scan(cells...))
		for i := range cells {
			texts[i] = fmt.Sprint(*cells[i].(*any))
		}
		fmt.Fprintln(ts.Stdout(), strings.Join(texts, "|"))
	}
	ts.Check(rows.Err())
}
