package ledger

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hopper/pipeline"
)

var started = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func moving(inputs ...InputID) Migration {
	return Migration{Server: "https://rybbit.example.com", Site: "1", Source: "umami", Inputs: inputs}
}

func input(name, content string) InputID {
	return InputID{Name: name, Size: int64(len(content)), Digest: Digest{SHA256: content}}
}

// fill stores n events in one batch of the import.
func fill(t *testing.T, l *Ledger, id string, first int64, n int) {
	t.Helper()
	for _, step := range []Step{
		Creating{Platform: "umami"},
		Created{Import: id, Platform: "umami"},
		Sending{Import: id, Batch: Batch{First: first, Events: n, Bytes: 10 * n}},
		Stored{},
	} {
		if err := l.Add(step); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOverlap(t *testing.T) {
	march, april, joined := input("march.csv", "march"), input("april.csv", "april"), input("session.csv", "sessions")
	joined.Joined = true
	for _, tt := range []struct {
		name        string
		first, then Migration
		refused     string
	}{
		{"another input", moving(march), moving(april), ""},
		{"renamed", moving(march), moving(input("m.csv", "march")), "same"},
		{"more inputs", moving(march), moving(march, april), "already"},
		{"fewer inputs", moving(march, april), moving(april), "already"},
		{"some of the same", moving(march, april), moving(april, input("may.csv", "may")), "already"},
		{"a shared table that is joined", moving(march, joined), moving(april, joined), ""},
		{"its events again", moving(march, joined), moving(march, april, joined), "already"},
		{"another order", moving(march, april), moving(april, march), "already"},
		{"grown", moving(march), moving(input("march.csv", "march and more")), "changed"},
		{"other options", moving(march), func() Migration {
			m := moving(march)
			m.Options = map[string]string{"timezone": "Europe/Vienna"}
			return m
		}(), "already"},
		{"another site", moving(march), func() Migration { m := moving(march); m.Site = "2"; return m }(), ""},
		{"later days", func() Migration { m := moving(march); m.Until = "2024-03-15"; return m }(),
			func() Migration { m := moving(march); m.Since = "2024-03-16"; return m }(), ""},
		{"shared days", func() Migration { m := moving(march); m.Until = "2024-03-15"; return m }(),
			func() Migration { m := moving(march); m.Since = "2024-03-15"; return m }(), "already"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opt := Options{Dir: t.TempDir(), Now: started}
			first, err := Open(tt.first, opt)
			if err != nil {
				t.Fatal(err)
			}
			if tt.refused != "same" {
				other, err := Open(tt.then, opt)
				if err != nil {
					t.Fatalf("refused although nothing is stored: %v", err)
				}
				if err := other.remove(); err != nil {
					t.Fatal(err)
				}
			}
			fill(t, first, "a", 0, 3)
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			then, err := Open(tt.then, opt)
			var overlapping *OverlapError
			switch {
			case tt.refused == "" || tt.refused == "same":
				if err != nil {
					t.Fatal(err)
				}
				if then.Resumed() != (tt.refused == "same") {
					t.Errorf("resumed: %v", then.Resumed())
				}
				then.Close()
				return
			case !errors.As(err, &overlapping) || !strings.Contains(err.Error(), tt.refused) || !strings.Contains(err.Error(), "--again"):
				t.Fatalf("error %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(opt.Dir, "migrations", "*")); len(left) != 1 {
				t.Errorf("the refusal left %v", left)
			}
			// What --again has begun, and opened no import, replaces nothing.
			again := opt
			again.Again = true
			if then, err = Open(tt.then, again); err != nil {
				t.Fatal(err)
			}
			then.Close()
			if _, err = Open(tt.then, opt); !errors.As(err, &overlapping) {
				t.Fatalf("after an --again that opened no import: %v", err)
			}
		})
	}
}

// TestAgainKeepsWhatIsNotComplete goes on with an unfinished --again.
func TestAgainKeepsWhatIsNotComplete(t *testing.T) {
	opt := Options{Dir: t.TempDir(), Again: true, Now: started}
	for range 2 {
		l, err := Open(moving(input("a", "a")), opt)
		if err != nil {
			t.Fatal(err)
		}
		if len(l.imports) == 0 {
			fill(t, l, "a", 0, 3)
		} else if l.imports[0].Events != 3 {
			t.Error("--again forgot what is not complete")
		}
		l.Close()
	}
}

// TestAmend tells a ledger what a user did to its import.
func TestAmend(t *testing.T) {
	dir := t.TempDir()
	m := moving(input("a.csv", "a"))
	l, err := Open(m, Options{Dir: dir, Now: started})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, l, "a", 0, 3)
	if err := NoteClosed(dir, m.Server, m.Site, "a"); !errors.Is(err, ErrLocked) {
		t.Errorf("while it is used: %v", err)
	}
	if err := l.Add(End{Stats: pipeline.Stats{Events: 3}, Counts: Counts{Imported: 3}}); err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, site := range []string{"1", "2"} {
		if err := errors.Join(NoteClosed(dir, m.Server, site, "a"), NoteDeleted(dir, m.Server, site, "other")); err != nil {
			t.Fatal(err)
		}
	}
	view := func() []Record {
		t.Helper()
		records, err := Records(dir, m.Server, m.Site)
		if err != nil {
			t.Fatal(err)
		}
		return records
	}
	if r := view(); len(r) != 1 || r[0].Stored != 3 || !r[0].Complete || !slices.Equal(r[0].Inputs, []string{"a.csv"}) {
		t.Errorf("closed: %+v", r)
	}
	if err := NoteDeleted(dir, m.Server, m.Site, "a"); err != nil {
		t.Fatal(err)
	}
	if r := view(); len(r) != 0 {
		t.Errorf("deleted: %+v", r)
	}
	if l, err = Open(m, Options{Dir: dir, Now: started}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, done := l.Complete(); done || l.Missing() != 0 {
		t.Error("the deleted import counts still")
	}
}

func TestClean(t *testing.T) {
	dir := t.TempDir()
	paths := make(map[string]string)
	for _, name := range []string{"complete", "open"} {
		l, err := Open(moving(input(name, name)), Options{Dir: dir, Now: started})
		if err != nil {
			t.Fatal(err)
		}
		fill(t, l, name, 0, 3)
		if name == "complete" {
			if err := l.add(End{Stats: pipeline.Stats{Events: 3}, Counts: Counts{Imported: 3}}, started); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(l.Rejects(), []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		paths[name] = l.Path()
		l.Close()
	}
	if removed, _, err := Clean(dir, started, false); err != nil || len(removed) != 0 {
		t.Fatalf("too young: %v, %v", removed, err)
	}
	if removed, bytes, err := Clean(dir, started.Add(time.Second), true); err != nil || len(removed) != 1 || bytes <= int64(len("{}\n")) {
		t.Fatalf("would remove %v, %d bytes, %v", removed, bytes, err)
	}
	removed, bytes, err := Clean(dir, started.Add(time.Second), false)
	if err != nil || !slices.Equal(removed, []string{paths["complete"]}) || bytes <= int64(len("{}\n")) {
		t.Fatalf("removed %v, %v", removed, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "migrations", "*"))
	if err != nil || len(left) != 2 || !slices.Contains(left, paths["open"]) {
		t.Errorf("left are %v, %v", left, err)
	}
	if removed, _, err := Clean(filepath.Join(dir, "none"), started, false); err != nil || removed != nil {
		t.Errorf("without a state directory: %v, %v", removed, err)
	}
}

// TestResumePoint checks, for any pattern of stored and lost batches, that
// reading goes on at or before the first missing event and no earlier than it
// must.
func TestResumePoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var imports [3]account
		var next, want int64
		found := false
		for range rapid.IntRange(0, 20).Draw(t, "batches") {
			b := Batch{First: next, Events: rapid.IntRange(1, 9).Draw(t, "events")}
			b.Mark.Chunk = next / 4
			b.Mark.Stats.Events = b.Mark.Chunk * 4
			if where := rapid.IntRange(0, 3).Draw(t, "import"); where < 3 {
				imports[where].store(b)
			} else if !found {
				want, found = next, true
			}
			next = b.Next()
		}
		if !found {
			want = next
		}
		s := State{imports: []*account{&imports[2], &imports[0], &imports[1]}}
		if got := s.Missing(); got != want {
			t.Fatalf("event %d is the first that is missing, not %d", want, got)
		}
		from, check := s.Resume()
		if from.Stats.Events > want {
			t.Fatalf("reading begins with event %d, beyond the missing %d", from.Stats.Events, want)
		}
		if want > 0 && (check == nil || check.First < from.Stats.Events || check.First >= want) {
			t.Fatalf("%+v is to be checked, from event %d to %d", check, from.Stats.Events, want)
		}
	})
}

// TestStolenFile takes a ledger's file away while it is open, as --again does.
func TestStolenFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps what is open")
	}
	path := filepath.Join(t.TempDir(), "journal")
	nothing := func(io.Reader) error { return nil }
	held, err := openJournal(path, nothing)
	if err != nil {
		t.Fatal(err)
	}
	defer held.close()
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	fresh, err := openJournal(path, nothing)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.close()
	if _, err := openJournal(path+".old", nothing); !errors.Is(err, ErrLocked) {
		t.Errorf("the old file: %v", err)
	}
}

// TestOldIdentity finds the ledger that an earlier build began: its identity
// had the bytes of inputs as they are stored, and each option of that time.
func TestOldIdentity(t *testing.T) {
	opt := Options{Dir: t.TempDir(), Now: started}
	m := moving(InputID{Name: "a.csv.gz", Digest: Digest{SHA256: "packed"}, Contents: []Content{{Digest: Digest{SHA256: "plain"}}}})
	m.Options = map[string]string{"timezone": "Europe/Vienna"}
	old := m
	old.Inputs = []InputID{{Name: "a.csv.gz", Digest: Digest{SHA256: "packed"}}}
	old.Options = map[string]string{"timezone": "Europe/Vienna", "hostname": "", "website": "", "ga-events": "default", "dedupe": "false"}
	begun, err := Open(old, opt)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, begun, "a", 0, 3)
	begun.Close()
	again, err := Open(m, opt)
	if err != nil || !again.Resumed() || again.Missing() != 3 {
		t.Fatalf("got %+v, %v", again, err)
	}
	again.Close()
}

// TestPackingIsNoIdentity takes a file and its .gz for the same input, and an
// archive and the files in it.
func TestPackingIsNoIdentity(t *testing.T) {
	for _, same := range [][2]Migration{
		{moving(input("a.csv", "plain")), moving(InputID{Name: "a.csv.gz", Digest: Digest{SHA256: "packed"}, Contents: []Content{{Digest: Digest{SHA256: "plain"}}}})},
		{moving(InputID{Name: "a.zip", Digest: Digest{SHA256: "zip"}, Contents: []Content{{Digest: Digest{SHA256: "one"}}, {Digest: Digest{SHA256: "two"}}}}), moving(input("a/1.csv", "one"), input("a/2.csv", "two"))},
	} {
		opt := Options{Dir: t.TempDir(), Now: started}
		for i, m := range same {
			l, err := Open(m, opt)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				fill(t, l, "a", 0, 3)
			} else if !l.Resumed() {
				t.Errorf("%+v is another migration than %+v", m, same[0])
			}
			l.Close()
		}
	}
}

// TestFailedAgain begins an --again that opens no import: the complete migration
// stays complete, and one that opened an import is not gone on with by chance.
func TestFailedAgain(t *testing.T) {
	m, opt := moving(input("a.csv", "a")), Options{Dir: t.TempDir(), Now: started}
	l, err := Open(m, opt)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, l, "a", 0, 3)
	if err := l.Add(End{Stats: pipeline.Stats{Events: 3}}); err != nil {
		t.Fatal(err)
	}
	l.Close()
	again := opt
	again.Again = true
	if l, err = Open(m, again); err != nil {
		t.Fatal(err)
	}
	l.Close() // the key was wrong, say
	if l, err = Open(m, opt); err != nil {
		t.Fatal(err)
	}
	if _, done := l.Complete(); !done {
		t.Error("a failed --again has made a complete migration a new one")
	}
	l.Close()
	if l, err = Open(m, again); err != nil {
		t.Fatal(err)
	}
	fill(t, l, "b", 0, 1)
	l.Close()
	var unfinished *AgainError
	if _, err = Open(m, opt); !errors.As(err, &unfinished) {
		t.Errorf("without --again, an unfinished one: %v", err)
	}
	if l, err = Open(m, again); err != nil || !l.Resumed() {
		t.Fatalf("with --again, an unfinished one: %v", err)
	}
	l.Close()
}

// TestLines reads the journals that an earlier build wrote and writes each record
// as it was.
func TestLines(t *testing.T) {
	archives, err := filepath.Glob("../../../cmd/hopper/testdata/journals/*.zip")
	if err != nil || len(archives) == 0 {
		t.Fatal(err, archives)
	}
	for _, name := range archives {
		z, err := zip.OpenReader(name)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		for _, member := range z.File {
			if !strings.HasSuffix(member.Name, journalSuffix) {
				continue
			}
			r, err := member.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			first := true
			_, err = readJournal(bytes.NewReader(text), func(line io.Reader) error {
				text, err := io.ReadAll(line)
				if err != nil {
					return err
				}
				read := decode
				if first {
					read = decodeWhole
				}
				first = false
				step, at, err := read(bytes.NewReader(text))
				if err != nil {
					return err
				}
				again := step.record()
				again.At = at
				var out bytes.Buffer
				if err := again.encode(&out); err == nil && out.String() != string(text) {
					t.Errorf("%s became %s", text, &out)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// decodeWhole is decodeFirst with all that the migration names.
func decodeWhole(line io.Reader) (Step, time.Time, error) {
	var m Migration
	step, at, err := decodeFirst(line, func(in InputID) { m.Inputs = append(m.Inputs, in) }, func(u Unit) { m.Units = append(m.Units, u) })
	if begin, ok := step.(Begin); ok {
		begin.Migration.Inputs, begin.Migration.Units = m.Inputs, m.Units
		step = begin
	}
	return step, at, err
}

// TestTakenAway lets the state directory vanish while a ledger is open.
func TestTakenAway(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps what is open")
	}
	dir := t.TempDir()
	l, err := Open(moving(input("a", "a")), Options{Dir: dir, Now: started})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.RemoveAll(filepath.Join(dir, "migrations")); err != nil {
		t.Fatal(err)
	}
	if err := l.Add(Creating{Platform: "umami"}); !errors.Is(err, ErrWrite) || !strings.Contains(err.Error(), "taken away") {
		t.Errorf("error %v", err)
	}
}
