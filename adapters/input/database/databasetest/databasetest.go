// Package databasetest starts databases of their own for tests, where the
// machine has the programs, and skips tests with a line where it has not.
package databasetest

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // drivers
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// A Database is an empty one, for a test.
type Database struct {
	// Address is what hopper reads it by.
	Address string
	// SQL is a connection that may write.
	SQL *sql.DB
	// Kind returns a type for a column of that name, and Mark the n-th
	// placeholder.
	Kind func(column string) string
	Mark func(n int) string
}

// Each runs a test on every database that can be started here.
func Each(t *testing.T, test func(*testing.T, *Database)) {
	for name, start := range map[string]func(*testing.T) *Database{"SQLite": SQLite, "PostgreSQL": PostgreSQL, "MariaDB": MariaDB} {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

func question(int) string { return "?" }

// SQLite makes a file.
func SQLite(t *testing.T) *Database {
	t.Helper()
	path := filepath.Join(t.TempDir(), "umami.db")
	file := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: "_pragma=journal_mode(WAL)&_pragma=synchronous(0)&_pragma=busy_timeout(10000)"}
	db := open(t, "sqlite", file.String())
	return &Database{Address: path, SQL: db, Mark: question, Kind: func(string) string { return "TEXT" }}
}

// PostgreSQL starts a server on a port of this machine.
func PostgreSQL(t *testing.T) *Database {
	t.Helper()
	initdb := find(t, "initdb", "PostgreSQL")
	dir, port := t.TempDir(), freePort(t)
	s := &server{t: t, dir: dir}
	s.own()
	s.run(initdb, "-D", filepath.Join(dir, "data"), "-U", "hopper", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
	s.start(filepath.Join(filepath.Dir(initdb), "postgres"), "-D", filepath.Join(dir, "data"), "-k", "", "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-F", "-c", "timezone=America/New_York")
	address := fmt.Sprintf("postgres://hopper@127.0.0.1:%d/postgres", port)
	kinds := map[string]string{"created_at": "timestamptz", "event_type": "integer", "data_type": "integer", "number_value": "numeric(19,4)", "date_value": "timestamptz"}
	return &Database{
		Address: address, SQL: open(t, "pgx", address+"?default_query_exec_mode=exec&timezone=UTC"),
		Mark: func(n int) string { return "$" + strconv.Itoa(n) },
		Kind: func(column string) string {
			switch kind := kinds[column]; {
			case kind != "":
				return kind
			case strings.HasSuffix(column, "_id") && !slices.Contains([]string{"distinct_id"}, column):
				return "uuid"
			}
			return "text"
		},
	}
}

// MariaDB starts a server on a port of this machine.
func MariaDB(t *testing.T) *Database {
	t.Helper()
	install := find(t, "mariadb-install-db", "MariaDB")
	daemon := find(t, "mariadbd", "MariaDB")
	dir, port := t.TempDir(), freePort(t)
	s := &server{t: t, dir: dir}
	s.own()
	// Two servers in one temporary directory take each other's files away.
	s.run(install, "--no-defaults", "--datadir="+filepath.Join(dir, "data"), "--tmpdir="+dir, "--auth-root-authentication-method=normal", "--skip-test-db")
	s.start(daemon, "--no-defaults", "--datadir="+filepath.Join(dir, "data"), "--tmpdir="+dir, "--socket="+filepath.Join(dir, "s"), "--pid-file="+filepath.Join(dir, "pid"),
		"--bind-address=127.0.0.1", "--port="+strconv.Itoa(port), "--innodb-flush-log-at-trx-commit=0", "--default-time-zone=-05:00")
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	admin := open(t, "mysql", "root@tcp("+at+")/")
	if _, err := admin.Exec("CREATE DATABASE umami CHARACTER SET utf8mb4"); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{"created_at": "timestamp(3) NULL", "event_type": "int unsigned", "data_type": "int unsigned", "number_value": "decimal(19,4)", "date_value": "timestamp NULL"}
	return &Database{
		Address: "mysql://root@" + at + "/umami",
		SQL:     open(t, "mysql", "root@tcp("+at+")/umami?time_zone="+url.QueryEscape("'+00:00'")), Mark: question,
		Kind: func(column string) string {
			switch kind := kinds[column]; {
			case kind != "":
				return kind
			case strings.HasSuffix(column, "_id"):
				return "varchar(36)"
			}
			return "varchar(500)"
		},
	}
}

// open waits for a server that is starting.
func open(t *testing.T, driver, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for range 600 {
		if err = db.PingContext(context.Background()); err == nil {
			return db
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not start: %v", driver, err)
	return nil
}

// find returns a program's path, also where distributions hide it.
func find(t *testing.T, program, product string) string {
	t.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/", "/usr/sbin/", "/usr/local/sbin/", "/usr/local/bin/"} {
		if found, err := filepath.Glob(pattern + program); err == nil && len(found) > 0 {
			return found[len(found)-1]
		}
	}
	t.Skipf("%s is not installed here (no %s): apt-get install postgresql mariadb-server", product, program)
	return ""
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// server is a program that runs as long as a test, as a user who is not root.
type server struct {
	t   *testing.T
	dir string
	as  *syscall.SysProcAttr // nil where the test is not root's
}

func (s *server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = s.as
	return cmd
}

func (s *server) run(program string, args ...string) {
	s.t.Helper()
	if out, err := s.command(program, args...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

func (s *server) start(program string, args ...string) {
	s.t.Helper()
	cmd := s.command(program, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // PostgreSQL's immediate shutdown
		killed := time.AfterFunc(3*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		killed.Stop()
		if s.t.Failed() {
			s.t.Logf("%s:\n%.3000s", filepath.Base(program), out.String())
		}
	})
}
