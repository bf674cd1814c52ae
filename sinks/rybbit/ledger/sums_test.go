package ledger

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// both is an input as a run knows it that compares itself with older ledgers.
func both(name, xxh3, sha string) InputID {
	return InputID{Name: name, Size: 7, Digest: Digest{XXH3: xxh3, SHA256: sha}}
}

func packed(name string, contents ...Digest) InputID {
	in := InputID{Name: name, Size: 5}
	for _, d := range contents {
		in.Contents = append(in.Contents, Content{Digest: d})
	}
	return in
}

// TestOlderDigests goes on with a ledger that knows its inputs by SHA-256, which a new
// one does not hold any more.
func TestOlderDigests(t *testing.T) {
	opt := Options{Dir: t.TempDir(), Now: started}
	older, err := Open(moving(input("a.csv", "sha-a"), packed("b.zip", Digest{SHA256: "sha-b"})), opt)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, older, "a", 0, 3)
	older.Close()
	m := moving(both("c.csv", "xxh-a", "sha-a"), packed("d.zip", Digest{"xxh-b", "sha-b"}))
	path := older.Path()
	if older, err = read(path); err != nil || !m.Same(older.migration) {
		t.Error("the older migration is another")
	}
	if of := HeldOf([]Held{older.summed(path)}, m); len(of) != 1 {
		t.Errorf("the older ledger is not found: %v", of)
	}
	again, err := Open(m, opt)
	if err != nil || !again.Resumed() || again.Missing() != 3 {
		t.Fatalf("got %+v, %v", again, err)
	}
	again.Close()
	other := moving(both("e.csv", "xxh-a", "sha-a"), input("f.csv", "sha-f"))
	if _, err := Open(other, opt); err == nil || !strings.Contains(err.Error(), "has been imported already") {
		t.Errorf("an input of the older ledger is imported with another: %v", err)
	}
}

// TestNewDigests begins a ledger that knows its inputs by XXH3 alone, and finds it
// whether SHA-256 is known or not.
func TestNewDigests(t *testing.T) {
	opt := Options{Dir: t.TempDir(), Now: started}
	known := moving(both("a.csv", "xxh-a", "sha-a"), packed("b.zip", Digest{"xxh-b", "sha-b"}), input("gs://c", "version"))
	begun, err := Open(known, opt)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, begun, "a", 0, 3)
	begun.Close()
	text, err := os.ReadFile(begun.Path())
	if err != nil || strings.Contains(string(text), "sha-") || !strings.Contains(string(text), "xxh-b") || !strings.Contains(string(text), "version") {
		t.Errorf("%v: %s", err, text)
	}
	fast := moving(both("A.csv", "xxh-a", ""), packed("B.zip", Digest{XXH3: "xxh-b"}), input("gs://c", "version"))
	for _, m := range []Migration{known, fast} {
		l, err := Open(m, opt)
		if err != nil || !l.Resumed() {
			t.Fatalf("got %+v, %v", l, err)
		}
		l.Close()
	}
}

func TestSumsOf(t *testing.T) {
	opt := Options{Dir: t.TempDir(), Now: started}
	begin := func(site string, inputs ...InputID) {
		m := moving(inputs...)
		m.Site = site
		l, err := Open(m, opt)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
	begin("1", both("a.csv", "xxh", ""))         // 7 bytes
	begin("2", input("b.csv", "123456789"))      // 9 bytes
	begin("3", packed("c.zip", Digest{"x", ""})) // of unknown size
	begin("4", packed("d.zip", Digest{"", "s"}))
	begin("5", InputID{Name: "mysql://host/db/table", Digest: Digest{SHA256: "name"}, Grows: true})
	server := moving().Server
	for _, c := range []struct {
		site  string
		plain map[int64]bool
		want  Sums
	}{
		{"1", map[int64]bool{7: true}, Sums{XXH3: true}},
		{"1", map[int64]bool{8: true}, Sums{}},
		{"1", nil, Sums{XXH3: true}},
		{"2", map[int64]bool{7: true, 9: true}, Sums{SHA256: true}},
		{"2", map[int64]bool{7: true}, Sums{}},
		{"2", nil, Sums{SHA256: true}},
		{"3", map[int64]bool{7: true}, Sums{XXH3: true}},
		{"4", map[int64]bool{7: true}, Sums{SHA256: true}},
		{"5", nil, Sums{}},
		{"6", nil, Sums{}},
		{"", map[int64]bool{7: true}, Sums{true, true}},
	} {
		got, err := SumsOf(opt.Dir, server, c.site, c.plain)
		if err != nil || got != c.want {
			t.Errorf("site %q, sizes %v: %+v, %v, want %+v", c.site, c.plain, got, err, c.want)
		}
	}
	if got, err := SumsOf(t.TempDir(), server, "1", nil); err != nil || got != (Sums{}) {
		t.Errorf("without ledgers: %+v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(migrations(opt.Dir), "damaged.journal"), []byte("0 {}\n1 {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := SumsOf(opt.Dir, server, "6", nil); err != nil || got != (Sums{true, true}) {
		t.Errorf("with a damaged ledger: %+v, %v", got, err)
	}
}
