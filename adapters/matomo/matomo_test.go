package matomo_test

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

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
	adaptertest.Golden(t, "testdata/events.golden", b.String(), *update)
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
		if d := diff.Diff(first, again); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, want := range map[string]string{
		"two-sites.sql":                  "1 Orchard https://www.orchard.example (59 visits); 2 Cellar https://cellar.example (1 visits). Choose one with --website",
		"no-visits.sql":                  "lacks Matomo's log_visit",
		"visits-log.xml":                 "visits log as XML; export it again with format=JSON",
		"visits-log-without-actions.csv": "visits log without its actions",
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

// bare returns events in the order of visits and times, without what says how they
// were read.
func bare(events []pipeline.Event, without string) []pipeline.Event {
	for i := range events {
		ev := &events[i]
		if ev.Origin, ev.Raw = (pipeline.Origin{}), ""; without == "session" {
			ev.Session = ""
		}
		for j := range ev.Properties { // the log has their numbers for the names of dimensions
			if name, known := map[string]string{"dimension1": "Membership", "dimension2": "Author"}[ev.Properties[j].Key]; known {
				ev.Properties[j].Key = name
			}
		}
	}
	slices.SortStableFunc(events, func(a, b pipeline.Event) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Visitor, b.Visitor), cmp.Compare(a.Session, b.Session))
	})
	return events
}

// TestLogLikeDatabase checks that the visits log gives the events of its database.
func TestLogLikeDatabase(t *testing.T) {
	for name, without := range map[string]string{"visits-log.json": "", "visits-log.csv": "", "visits-log.tsv": "session"} {
		want, _, err := translate(t, "", adapters.Options{}, fixtures+"mysqldump.sql")
		if err != nil {
			t.Fatal(err)
		}
		got, stats, err := translate(t, "", adapters.Options{}, fixtures+name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := diff.Diff(bare(want, without), bare(got, without)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if n := stats.Omitted[matomo.OmitGoal].Count; n != 1 {
			t.Errorf("%s: %d goals left out, not 1", name, n)
		}
	}
}

// TestConversions asks for goals and orders, which come beside all other events.
func TestConversions(t *testing.T) {
	asked := adapters.Options{Chosen: map[string]string{"conversions": "true"}}
	for name, want := range map[string][]string{
		"with-goals.sql":  {"Order /(not set) order=A-17 revenue=21.5 custom_dimension_1=member", "Ordered & paid /pears revenue=9 custom_dimension_1=member"},
		"visits-log.json": {"Ordered & paid /pears revenue=9 dimension1=member"},
	} {
		without, _, err := translate(t, "", adapters.Options{}, fixtures+name)
		if err != nil {
			t.Fatal(err)
		}
		with, stats, err := translate(t, "", asked, fixtures+name)
		if err != nil || len(with) != len(without)+len(want) {
			t.Fatalf("%s: %d events, of which %d are none, %v, %+v", name, len(with), len(without), err, stats.Omitted)
		}
		var got []string
		for i := range with {
			if ev := &with[i]; strings.HasPrefix(ev.Name, "Order") {
				line := ev.Name + " " + ev.Path
				for _, p := range ev.Properties {
					line += " " + p.Key + "=" + p.Value
				}
				got = append(got, line)
			}
		}
		slices.Sort(got)
		if d := diff.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	text, err := os.ReadFile(fixtures + "with-goals.sql")
	if err != nil {
		t.Fatal(err)
	}
	twice, stats, err := translate(t, string(text)+"-- again\n", asked, fixtures+"with-goals.sql", "-")
	if err != nil || stats.Omitted[matomo.OmitRepeatConversion].Count != 3 {
		t.Errorf("%d events, %+v, %v", len(twice), stats.Omitted, err)
	}
}

// TestConversionsVerified recounts goals and orders, of which a dump numbers the rows
// as it does those of actions.
func TestConversionsVerified(t *testing.T) {
	for _, name := range []string{"with-goals.sql", "visits-log.json"} {
		dir := t.TempDir()
		ins, err := input.Open(t.Context(), []string{fixtures + name}, nil, dir)
		if err != nil {
			t.Fatal(err)
		}
		defer ins.Close()
		opt := adapters.Options{TempDir: dir, Chosen: map[string]string{"conversions": "true"}}
		reading, err := matomo.Adapter{}.Match(t.Context(), ins.Files).Open(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		defer reading.Source.Close()
		now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
		c, err := reading.Verify(t.Context(), pipeline.Translation{Normalizer: pipeline.Normalizer{Now: pipeline.MicrosOf(now)}, Jobs: 2}, func(int64) {})
		if err != nil || !c.Holds() {
			t.Errorf("%s: %v, %+v", name, err, c)
		}
	}
}

// TestLogPages gives pages of the log that overlap, in one of which a visit went on.
func TestLogPages(t *testing.T) {
	const first = `[{"idSite":"1","idVisit":"8","visitorId":"00ff27005c0a0d1a","firstActionTimestamp":1718013600,"actionDetails":[{"type":"action","url":"https://a.example/","timestamp":1718013600}]},
		{"idSite":"1","idVisit":"7","visitorId":"00ff27005c0a0d1b","actions":"3","actionDetails":{"0":{"type":"outlink","url":"https://b.example/","timestamp":"1718013500"},"2":{"type":"action","url":"https://a.example/x?y#z","pageTitle":"X","timestamp":"1718013510"}}}]`
	const second = `[{"idSite":1,"idVisit":8,"visitorId":"00ff27005c0a0d1a","firstActionTimestamp":1718013600,"actionDetails":[{"type":"action","url":"https://a.example/","timestamp":1718013600},
		{"type":"event","eventCategory":"Play","url":"https://a.example/v","timestamp":1718013700},{"type":"media","timestamp":1718013700},{"type":"action","url":"https://a.example/w","timestamp":"soon"}]},
		{"idSite":1,"idVisit":6,"visitorId":"00ff27005c0a0d1c","actionDetails":[]},{"idSite":1,"idVisit":5}]`
	dir := t.TempDir()
	for name, text := range map[string]string{"1.json": first, "2.json": second} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	events, stats, err := translate(t, "", adapters.Options{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range events {
		ev := &events[i]
		got = append(got, fmt.Sprintf("%s %s %s%s?%s %q", ev.Session, ev.Kind, ev.Hostname, ev.Path, ev.Query, ev.Title))
	}
	want := []string{`visit 7 outbound a.example/x?y "X"`, `visit 7 pageview a.example/x?y "X"`, `visit 8 pageview a.example/? ""`, `visit 8 custom_event a.example/v? ""`}
	if d := diff.Diff(want, got); d != "" {
		t.Error(d)
	}
	if stats.Rows != 5 || stats.Omitted[matomo.OmitVisitRepeat].Count != 1 || stats.Omitted[matomo.OmitVisit].Count != 2 || stats.Omitted[matomo.OmitOtherAction].Count != 1 || stats.Rejected.Total() != 1 {
		t.Errorf("%+v", stats)
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

// TestMissingNames counts each action whose title log_action does not have.
func TestMissingNames(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.csv": "idlink_va,idsite,idvisitor,idvisit,idaction_url,idaction_name,server_time\n" +
			"1,1,0x00FF27005C0A0D1A,1,1,9,2024-06-10 10:00:00\n" +
			"2,1,0x00FF27005C0A0D1A,1,1,2,2024-06-10 10:00:05\n" +
			"3,1,0x00FF27005C0A0D1A,1,1,9,2024-06-10 10:00:09\n",
		"n.csv": "idaction,name,type,url_prefix\n1,a.example/,1,3\n2,Home,4,\n",
		"v.csv": "idvisit,idsite,idvisitor,visit_first_action_time\n1,1,0x00FF27005C0A0D1A,2024-06-10 10:00:00\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	events, stats, err := translate(t, "", adapters.Options{}, dir)
	if err != nil || len(events) != 3 || stats.Repaired[matomo.RepairName].Count != 2 {
		t.Errorf("%d events, %+v, %v", len(events), stats.Repaired, err)
	}
}

// TestAttributes gives dimensions and variables of every name, also of a name that an
// event's own property has.
func TestAttributes(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.csv": "idlink_va,idsite,idvisitor,idvisit,idaction_url,server_time,idaction_event_category,idaction_event_action,custom_dimension_7,custom_dimension_1,custom_var_k2,custom_var_v2,custom_var_v3\n" +
			"1,1,0x00FF27005C0A0D1A,1,1,2024-06-10 10:00:00,2,2,seven,&lt;b&gt;,plan,gold,lost\n",
		"n.csv": "idaction,name,type,url_prefix\n1,a.example/,1,3\n2,Play,10,\n",
		"v.csv": "idvisit,idsite,idvisitor,visit_first_action_time,custom_dimension_7,custom_var_k1,custom_var_v1\n1,1,0x00FF27005C0A0D1A,2024-06-10 10:00:00,visit's,plan,free\n",
		"d.csv": "idcustomdimension,idsite,name,index,scope,active\n1,1,action,7,action,1\n2,1,action,7,visit,1\n3,2,other,1,action,1\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const log = `[{"idSite":"1","idVisit":"1","visitorId":"00ff27005c0a0d1a","dimension7":"visit's","dimension8":null,"customVariables":{"1":{"customVariableName1":"plan","customVariableValue1":"free"}},
		"actionDetails":[{"type":"event","eventCategory":"Play","url":"https://a.example/","timestamp":1718013600,"dimension3":"three","customVariables":[]},
		{"type":"action","url":"https://a.example/","timestamp":1718013601,"customVariables":{"2":{"customVariablePageName2":"plan","customVariablePageValue2":"gold"},"3":{"customVariablePageName3":"x"}}}]}]`
	for _, export := range []struct {
		stdin, arg string
		want       []string
	}{
		{"", dir, []string{"action=Play, action (action)=seven, custom_dimension_1=<b>, plan=gold, action (visit)=visit's, plan (visit)=free"}},
		{log, "-", []string{"dimension3=three, dimension7=visit's, plan=free", "plan=gold, dimension7=visit's, plan (visit)=free"}},
	} {
		events, _, err := translate(t, export.stdin, adapters.Options{}, export.arg)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range events {
			var each []string
			for _, p := range events[i].Properties {
				each = append(each, p.Key+"="+p.Value)
			}
			got = append(got, strings.Join(each, ", "))
		}
		if d := diff.Diff(export.want, got); d != "" {
			t.Error(d)
		}
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

func FuzzLog(f *testing.F) {
	f.Add("idSite,idVisit,visitorId,actionDetails_0_type,actionDetails_0_url,actionDetails_0_timestamp\n1,2,00ff27005c0a0d1a,action,https://a.example/?x#y,1718013600\n")
	f.Add(`[{"idSite":"1","idVisit":"2","actionDetails":{"3":{"type":"search","timestamp":1718013600}}}]`)
	f.Add(`[{"idSite":"1","idVisit":"2","actionDetails":[]},{}]`)
	f.Add("visitorId\tactionDetails_9_type\tactionDetails_9_pageTitle\n1\t'-\t'=x\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _, err := translate(t, text, adapters.Options{}, "-")
		var positioned *input.Error
		if err != nil && !errors.As(err, &positioned) && text != "" && !strings.Contains(err.Error(), "there are no tables") {
			t.Fatalf("%v says not where", err)
		}
	})
}
