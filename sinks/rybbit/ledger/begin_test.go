package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

// text draws texts that could be taken for what a record consists of.
func text(name string) *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.Map(rapid.SampledFrom([]string{
		`{"name":"","size":0}`, `{"name":""}`, `"inputs":[`, `"},{"`, "<a>&\u2028", "",
	}), func(part string) string { return name + part }))
}

func anyMigration() *rapid.Generator[Migration] {
	digest := rapid.Custom(func(t *rapid.T) Digest {
		return Digest{XXH3: text("x").Draw(t, "xxh3"), SHA256: text("s").Draw(t, "sha256")}
	})
	content := rapid.Custom(func(t *rapid.T) Content {
		return Content{Digest: digest.Draw(t, "digest"), Joined: rapid.Bool().Draw(t, "joined")}
	})
	in := rapid.Custom(func(t *rapid.T) InputID {
		return InputID{
			Name: text("n").Draw(t, "name"), Size: rapid.Int64().Draw(t, "size"), Digest: digest.Draw(t, "digest"),
			Joined: rapid.Bool().Draw(t, "joined"), Grows: rapid.Bool().Draw(t, "grows"),
			Contents: rapid.SliceOfN(content, 0, 2).Draw(t, "contents"),
		}
	})
	unit := rapid.Custom(func(t *rapid.T) Unit {
		return Unit{
			Name: text("u").Draw(t, "name"), Dated: rapid.Bool().Draw(t, "dated"),
			XXH3: rapid.SliceOfN(text("x"), 0, 2).Draw(t, "xxh3"), SHA256: rapid.SliceOfN(text("s"), 0, 2).Draw(t, "sha256"),
		}
	})
	return rapid.Custom(func(t *rapid.T) Migration {
		return Migration{
			Server: text("https://").Draw(t, "server"), Site: text("").Draw(t, "site"), Source: text("").Draw(t, "source"),
			Inputs:  rapid.SliceOfN(in, 0, 3).Draw(t, "inputs"),
			Options: rapid.MapOfN(text("o"), text("v"), 0, 2).Draw(t, "options"),
			Since:   text("").Draw(t, "since"), Until: text("").Draw(t, "until"), Live: text("").Draw(t, "live"),
			Sums: rapid.Bool().Draw(t, "sums"), Units: rapid.SliceOfN(unit, 0, 3).Draw(t, "units"),
		}
	})
}

// TestFirstRecord writes the first record as [json.Marshal] does, so that every build
// reads it, and reads it as [json.Unmarshal] does.
func TestFirstRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := Begin{Migration: anyMigration().Draw(t, "migration"), Version: text("v").Draw(t, "version"), Again: rapid.Bool().Draw(t, "again")}.record()
		first.At = started
		want, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := first.encode(&got); err != nil || got.String() != string(want) {
			t.Fatalf("%v: %s\nwant %s", err, &got, want)
		}
		var whole record
		if err := json.Unmarshal(want, &whole); err != nil {
			t.Fatal(err)
		}
		step, at, err := decodeWhole(&got)
		if err != nil || !at.Equal(started) {
			t.Fatalf("%v, at %v", err, at)
		}
		again := step.record()
		again.At = at
		if len(whole.Migration.Inputs) == 0 {
			whole.Migration.Inputs = nil
		}
		if !reflect.DeepEqual(again, whole) {
			t.Fatalf("read\n%+v\nwant\n%+v", again.Migration, whole.Migration)
		}
	})
}

// many returns a migration of n inputs, made anew, as each run does.
func many(n int) Migration {
	m := moving()
	for i := range n {
		digest := fmt.Sprintf("%032x", i)
		m.Inputs = append(m.Inputs, InputID{Name: fmt.Sprintf("exports/website_event_%06d.csv", i), Size: 100, Digest: Digest{XXH3: digest}})
		m.Units = append(m.Units, Unit{Name: m.Inputs[i].Name, XXH3: []string{digest}})
	}
	return m
}

// TestTornBeginning cuts the first record of many inputs at any byte, as a crash could:
// the ledger is begun anew, as if there had been none, or gone on with.
func TestTornBeginning(t *testing.T) {
	const inputs = 500 // more than a line that is held
	m := many(inputs)
	opt := Options{Dir: t.TempDir(), Now: started}
	whole, err := Open(m, opt)
	if err != nil {
		t.Fatal(err)
	}
	whole.Close()
	line, err := os.ReadFile(whole.Path())
	if err != nil || len(line) < maxHeld || bytes.Count(line, []byte("\n")) != 1 {
		t.Fatalf("%v: %d bytes", err, len(line))
	}
	rapid.Check(t, func(t *rapid.T) {
		cut := rapid.OneOf(rapid.IntRange(0, len(line)), rapid.IntRange(len(line)-2, len(line))).Draw(t, "cut")
		if err := os.WriteFile(whole.Path(), line[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(m, opt)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if l.Resumed() != (cut == len(line)) {
			t.Fatalf("cut at %d of %d: resumed %v", cut, len(line), l.Resumed())
		}
		if again, err := os.ReadFile(whole.Path()); err != nil || !bytes.Equal(again, line) {
			t.Fatalf("%v: the ledger is another", err)
		}
	})
}

// TestMemoryOfManyInputs bounds what a ledger that is open keeps of its inputs.
func TestMemoryOfManyInputs(t *testing.T) {
	const inputs, most = 20_000, 16 // bytes an input
	opt := Options{Dir: t.TempDir(), Now: started}
	for _, resumed := range []bool{false, true} {
		before := heapInUse()
		l, err := Open(many(inputs), opt)
		if err != nil || l.Resumed() != resumed {
			t.Fatalf("%+v, %v", l, err)
		}
		if held := heapInUse() - before; held > inputs*most {
			t.Errorf("resumed %v: %d bytes are kept of %d inputs, want at most %d of each", resumed, held, inputs, most)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDated remembers of a ledger that is open whether its units are days.
func TestDated(t *testing.T) {
	for name, c := range map[string]struct {
		days []bool
		want bool
	}{"none": {nil, false}, "all": {[]bool{true, true}, true}, "one": {[]bool{false, true}, false}} {
		m := moving(input("a", "a"))
		for _, day := range c.days {
			m.Units = append(m.Units, Unit{Name: "2026-01-01", Dated: day})
		}
		opt := Options{Dir: t.TempDir(), Now: started}
		for range 2 { // begun and resumed
			l, err := Open(m, opt)
			if err != nil || l.Dated() != c.want {
				t.Errorf("%s: %v, %v", name, l.Dated(), err)
			}
			l.Close()
		}
	}
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
