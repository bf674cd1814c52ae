package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hopper"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hopper/sinks/rybbit/sandbox"
)

// TestSignals lets the program, built as users have it, be killed, terminated
// and started twice.
func TestSignals(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "hopper")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, test := range map[string]func(*testing.T, string){
		"crashes": testCrashes, "terminations": testTerminations, "two at once": testTwoAtOnce, "second signal": testSecondSignal,
	} {
		t.Run(name, func(t *testing.T) { test(t, binary) })
	}
}

// victim is a program, an input of some rows, and a server that both survive.
type victim struct {
	t      *testing.T
	binary string
	input  string
	rows   int
	server *sandbox.Server
	url    string
	state  string

	mu      sync.Mutex
	over    *sync.Cond
	running int // batches that the server is working on
	looks   int // lists since the last batch
	hook    func(sandbox.Request) []sandbox.Fault
}

func newVictim(t *testing.T, binary string, rows int, hook func(sandbox.Request) []sandbox.Fault) *victim {
	t.Helper()
	v := &victim{t: t, binary: binary, rows: rows, state: t.TempDir(), hook: hook}
	v.over = sync.NewCond(&v.mu)
	v.input = filepath.Join(v.state, "website_event.csv")
	v.write(rows)
	var err error
	v.server, err = sandbox.Open(t.Context(), sandbox.Options{
		Path: filepath.Join(v.state, "sandbox.db"), Hook: v.begin, Observe: v.end,
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(v.server)
	v.url = web.URL
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
		if err := v.server.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// write makes an Umami export whose pages are /0, /1, …
func (v *victim) write(rows int) {
	v.t.Helper()
	var text bytes.Buffer
	text.WriteString("event_id,website_id,session_id,created_at,url_path,url_query,referrer_path,referrer_query,referrer_domain," +
		"page_title,event_type,event_name,visit_id,hostname\n")
	at := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range rows {
		fmt.Fprintf(&text, "00000000-0000-5000-8000-%012d,e2dbf597-9d3a-562b-88f1-5ef3d2e4df79,00000000-0000-5000-9000-%012d,"+
			"%s,/%d,,,,,\"Page %d, or so\",1,,00000000-0000-5000-a000-%012d,example.com\n",
			i, i%999, at.Add(time.Duration(i)*time.Minute).Format("2006-01-02 15:04:05.000+00"), i, i, i%999)
	}
	if err := os.WriteFile(v.input, text.Bytes(), 0o600); err != nil {
		v.t.Fatal(err)
	}
}

// begin and end see to it that a busy machine cannot fool a client that waits
// for 50 ms: the second list after a batch is answered when the batch has ended.
func (v *victim) begin(r sandbox.Request) []sandbox.Fault {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch r.Call {
	case sandbox.Events:
		v.running++
		v.looks = 0
	case sandbox.List:
		for v.looks++; v.looks > 1 && v.running > 0; {
			v.over.Wait()
		}
	}
	if v.hook != nil {
		return v.hook(r)
	}
	return nil
}

func (v *victim) end(x sandbox.Exchange) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if x.Call == sandbox.Events {
		v.running--
		v.over.Broadcast()
	}
}

// start starts an import.
func (v *victim) start() (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	v.t.Helper()
	cmd = exec.Command(v.binary, "import", "--url", v.url, "--site", "1", "--state", filepath.Join(v.state, "ledgers"),
		"--max-batch-bytes", "64KiB", "--settle-after", "50ms", "--json", v.input)
	cmd.Env = append(os.Environ(), "RYBBIT_API_KEY=sandbox")
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	return cmd, stdout, stderr
}

// run imports until the end, or until it gets a signal after a random time.
func (v *victim) run(signal os.Signal, within time.Duration) (exit int, out hopper.Result, said string) {
	v.t.Helper()
	cmd, stdout, stderr := v.start()
	if signal != nil {
		timer := time.AfterFunc(rand.N(within), func() { cmd.Process.Signal(signal) })
		defer timer.Stop()
	}
	err := cmd.Wait()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		v.t.Fatal(err)
	}
	if err := json.NewDecoder(stdout).Decode(&out); err != nil && err != io.EOF {
		v.t.Fatalf("%v in %s", err, stdout)
	}
	return cmd.ProcessState.ExitCode(), out, stderr.String()
}

// finish runs to the end, and once more, and checks that each event is there once.
func (v *victim) finish() {
	v.t.Helper()
	exit, out, said := v.run(nil, 0)
	if exit != exitDone || out.Imported != int64(v.rows) || out.Sent != out.Imported || out.Rows != int64(v.rows) {
		v.t.Fatalf("exit %d, %+v\n%s", exit, out, said)
	}
	if exit, out, said = v.run(nil, 0); exit != exitDone || out.Status != hopper.AlreadyComplete || out.Requests != 0 {
		v.t.Fatalf("a further run: exit %d, %+v\n%s", exit, out, said)
	}
	var rows, distinct int
	if err := v.server.DB().QueryRow("SELECT count(*), count(DISTINCT pathname) FROM events").Scan(&rows, &distinct); err != nil {
		v.t.Fatal(err)
	}
	if rows != v.rows || distinct != v.rows {
		v.t.Fatalf("the server holds %d events, %d different ones; want each of %d once", rows, distinct, v.rows)
	}
}

// testCrashes kills imports with a signal that cannot be caught, at random
// instants, and runs them again until they are complete. HOPPER_CRASHES is how
// many imports are tormented so.
func testCrashes(t *testing.T, binary string) {
	torment(t, binary, syscall.SIGKILL, -1)
}

// testTerminations is the same with a signal that is to be obeyed in order.
func testTerminations(t *testing.T, binary string) {
	torment(t, binary, syscall.SIGTERM, exitInterrupted)
}

func torment(t *testing.T, binary string, signal os.Signal, want int) {
	rounds, rows, within := 5, 3000, 300*time.Millisecond
	if n, err := strconv.Atoi(os.Getenv("HOPPER_CRASHES")); err == nil {
		rounds, rows, within = n, 20_000, 1500*time.Millisecond
	}
	var mu sync.Mutex
	signals := 0
	t.Run("rounds", func(t *testing.T) {
		for round := range rounds {
			t.Run(fmt.Sprint(round), func(t *testing.T) {
				t.Parallel()
				v := newVictim(t, binary, rows, nil)
				for range 8 {
					exit, _, said := v.run(signal, within)
					if exit == exitDone {
						break
					}
					// A signal that comes before it is caught ends the process, too.
					if exit != want && exit != -1 {
						t.Fatalf("exit %d:\n%s", exit, said)
					}
					mu.Lock()
					signals++
					mu.Unlock()
				}
				v.finish()
			})
		}
	})
	t.Logf("%d imports ended early %d times", rounds, signals)
}

// holding lets the second batch wait.
func holding(arrived chan<- struct{}, until <-chan struct{}) func(sandbox.Request) []sandbox.Fault {
	return func(r sandbox.Request) []sandbox.Fault {
		if r.Call == sandbox.Events && r.N == 2 {
			close(arrived)
			return []sandbox.Fault{{Effect: sandbox.Slow, Until: until}}
		}
		return nil
	}
}

// testTwoAtOnce starts an import while another one of the same runs.
func testTwoAtOnce(t *testing.T, binary string) {
	arrived, until := make(chan struct{}), make(chan struct{})
	v := newVictim(t, binary, 1000, holding(arrived, until))
	first, _, _ := v.start()
	<-arrived
	exit, out, said := v.run(nil, 0)
	if exit != exitAway || !strings.Contains(said, "another hopper") || out.Requests != 0 {
		t.Errorf("the second: exit %d after %d requests\n%s", exit, out.Requests, said)
	}
	close(until)
	if err := first.Wait(); err != nil {
		t.Errorf("the first: %v", err)
	}
	v.finish()
}

// testSecondSignal stops at once, in a state that can be resumed.
func testSecondSignal(t *testing.T, binary string) {
	arrived, until := make(chan struct{}), make(chan struct{})
	v := newVictim(t, binary, 1000, holding(arrived, until))
	cmd, _, stderr := v.start()
	<-arrived
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait()
	}()
	// The batch in flight is waited for, until the second signal.
	for stopped := false; !stopped; {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
			stopped = true
		case <-time.After(50 * time.Millisecond):
		}
	}
	if exit := cmd.ProcessState.ExitCode(); exit != exitInterrupted || !strings.Contains(stderr.String(), "again to stop at once") {
		t.Errorf("exit %d\n%s", exit, stderr)
	}
	close(until)
	v.finish()
}
