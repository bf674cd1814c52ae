package umami

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/input/rows"
)

// What stands in more sessions than are held, and in more words and longer ones than
// are numbered, is found again; of a session that stands twice, the later row.
func TestSessionsOnDisk(t *testing.T) {
	const many = maxWords + 5000
	var table strings.Builder
	table.WriteString("session_id,browser,os,device,city,distinct_id\n")
	row := func(i, version int) {
		fmt.Fprintf(&table, "%s,chrome,os %d,%s,city %d,user %d of %d\n", sessionName(i), version, strings.Repeat("d", i%200), i, i, version)
	}
	for i := range many {
		row(i, 1)
	}
	row(7, 2)
	s, r := sessionsOf(t, table.String()), new(recent)
	for i := range many {
		version := 1
		if i == 7 {
			version = 2
		}
		want := session{browser: "chrome", os: fmt.Sprint("os ", version), device: strings.Repeat("d", i%200), city: fmt.Sprint("city ", i), user: fmt.Sprintf("user %d of %d", i, version)}
		for range 2 { // looked up, and found before
			if got, err := s.recall(r, adapters.IDOf(sessionName(i))); err != nil || got == nil || *got != want {
				t.Fatalf("%s: got %+v, %v, want %+v", sessionName(i), got, err, want)
			}
			if got, err := s.recall(r, adapters.IDOf(sessionName(many+i))); err != nil || got != nil {
				t.Fatalf("%s: got %+v, %v, and it is not there", sessionName(many+i), got, err)
			}
		}
	}
	if len(s.words.texts) > maxWords {
		t.Errorf("holds %d words", len(s.words.texts))
	}
}

// sessionName has identifiers of both kinds.
func sessionName(i int) string {
	if i%2 == 0 {
		return fmt.Sprint("session ", i)
	}
	return fmt.Sprintf("6c1c77a2-c723-50b2-9268-%012X", i)
}

func sessionsOf(t *testing.T, table string) *sessions {
	ins, err := input.Open(t.Context(), []string{"-"}, strings.NewReader(table), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ins.Close() })
	tables, err := rows.Find(t.Context(), ins.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	s, err := readSessions(t.Context(), tables, t.TempDir(), new(rejects))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.index.Close() })
	return s
}

func TestWordsOfRecords(t *testing.T) {
	text := rapid.OneOf(rapid.SampledFrom([]string{"", "chrome", "\x00", strings.Repeat("x", maxWordSize), strings.Repeat("x", maxWordSize+1)}), rapid.String())
	rapid.Check(t, func(rt *rapid.T) {
		w := words{texts: make([]string, rapid.SampledFrom([]int{0, maxWords - 2, maxWords}).Draw(rt, "words"))}
		all := rapid.SliceOf(text).Draw(rt, "texts")
		var record []byte
		for _, want := range all {
			record = w.append(record, want)
		}
		record = append(record, "rest"...)
		for _, want := range all {
			var got string
			if got, record = w.parse(record); got != want {
				rt.Fatalf("got %q, want %q", got, want)
			}
		}
		if string(record) != "rest" || len(w.texts) > maxWords {
			rt.Fatalf("%q is left, %d words", record, len(w.texts))
		}
	})
}
