package matomo_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hopper/adapters"
	"hopper/adapters/adaptertest"
	"hopper/adapters/input"
	"hopper/adapters/matomo"
	"hopper/pipeline"
)

var update = flag.Bool("update", false, "write golden files anew")

const fixtures = "../../fixtures/matomo/"

func translate(t testing.TB, stdin string, opt adapters.Options, args ...string) ([]pipeline.Event, pipeline.Stats, error) {
	t.Helper()
	return adaptertest.Translate(t, matomo.Adapter{}, stdin, opt, args...)
}

// TestGolden holds what a dump becomes, in words.
func TestGolden(t *testing.T) {
	events, stats, err := translate(t, "", adapters.Options{}, fixtures+"mysqldump.sql")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d rows, omitted %d, repaired %d\n", stats.Rows, stats.Omitted.Total(), stats.Repaired.Total())
	for i := range events {
		ev := &events[i]
		fmt.Fprintf(&b, "%s %s %q %s%s?%s %q from %q to %q %s %s/%s %s/%s %dx%d %s %s %s %s %s %s %q %+v\n", ev.Time.Time().Format(time.DateTime), ev.Kind, ev.Name, ev.Hostname, ev.Path, ev.Query, ev.Title,
			ev.Referrer, ev.Target, ev.Browser, ev.BrowserVersion, ev.OS, ev.OSVersion, ev.Device, ev.ScreenWidth, ev.ScreenHeight, ev.Country, ev.Region, ev.City, ev.Language, ev.Session, ev.Visitor, ev.Identified, ev.Properties)
	}
	const golden = "testdata/events.golden"
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(golden, []byte(b.String()), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Error(d)
	}
}

// TestSameOfEveryShape checks that a visitor is the same however its bytes are written.
func TestSameOfEveryShape(t *testing.T) {
	first, _, err := translate(t, "", adapters.Options{}, fixtures+"mysqldump.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mariadb-dump.sql", "hex-blob.sql", "tables"} {
		again, _, err := translate(t, "", adapters.Options{}, fixtures+name)
		if err != nil || len(again) != len(first) {
			t.Fatalf("%s: %d events, not %d, %v", name, len(again), len(first), err)
		}
		for i := range again {
			again[i].Origin, again[i].Raw = first[i].Origin, first[i].Raw
		}
		if d := cmp.Diff(first, again); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, want := range map[string]string{
		"two-sites.sql":  "1 Orchard https://www.orchard.example (59 visits); 2 Cellar https://cellar.example (1 visits). Choose one with --website",
		"no-visits.sql":  "lacks Matomo's log_visit",
		"visits-log.csv": "visits log, which is not read; give the database's address",
	} {
		if _, _, err := translate(t, "", adapters.Options{}, fixtures+"broken/"+name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, asked := range []string{"2", "cellar", "cellar.example", "https://cellar.example"} {
		events, stats, err := translate(t, "", adapters.Options{Chosen: map[string]string{"website": asked}}, fixtures+"broken/two-sites.sql")
		if err != nil || len(events) != 1 || stats.Omitted.Total() != stats.Rows-1 {
			t.Errorf("%s: %d events, %+v, %v", asked, len(events), stats.Omitted, err)
		}
	}
}

// TestDestroyedVisitors gives a dump whose bytes an editor has replaced, and rows
// that stand twice.
func TestDestroyedVisitors(t *testing.T) {
	text, err := os.ReadFile(fixtures + "mysqldump.sql")
	if err != nil {
		t.Fatal(err)
	}
	events, _, err := translate(t, strings.ToValidUTF8(string(text), "\uFFFD"), adapters.Options{}, "-")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(events, func(ev pipeline.Event) bool { return ev.Visitor == ev.Session }) {
		t.Error("a visitor whose bytes are destroyed is not the visit's")
	}
	twice, stats, err := translate(t, "", adapters.Options{}, fixtures+"tables", fixtures+"mysqldump.sql")
	if err != nil || len(twice) != len(events) || stats.Omitted["a repeat of an action with the same idlink_va"].Count == 0 {
		t.Errorf("%d events, not %d, %+v, %v", len(twice), len(events), stats.Omitted, err)
	}
}

func FuzzMatomo(f *testing.F) {
	f.Add("1,1,0x00FF27005C0A0D1A,1,0,0,,2024-06-10 10:00:00,2,1,,", "1,a.example/?x#y,1,3\n2,T &amp; U,4,\n", "1,1,0x00FF27005C0A0D1A,2024-06-10 10:00:00,6,spring")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, action, names, visit string) {
		folder, err := os.MkdirTemp(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(folder)
		for name, text := range map[string]string{
			"a.csv": "idlink_va,idsite,idvisitor,idvisit,idaction_url_ref,idaction_name_ref,custom_float,server_time,idaction_name,idaction_url,idaction_event_action,idaction_event_category\n" + action + "\n",
			"n.csv": "idaction,name,type,url_prefix\n" + names,
			"v.csv": "idvisit,idsite,idvisitor,visit_first_action_time,referer_type,referer_name\n" + visit + "\n",
		} {
			if err := os.WriteFile(folder+"/"+name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err = translate(t, "", adapters.Options{}, folder)
		var positioned *input.Error
		if err != nil && !errors.As(err, &positioned) {
			t.Fatalf("%v says not where", err)
		}
	})
}
