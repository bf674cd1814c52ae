package umami_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/umami"
	"hopper/pipeline"
)

// A page's address as a whole, in either column, is host, path and query.
func TestWholeAddresses(t *testing.T) {
	for name, text := range map[string]string{
		"url":              "session_id,visit_id,created_at,url,event_type,event_name\ns,v,2024-05-01 10:00:00,https://mill.example/menu?a=1,1,\ns,v,2024-05-01 10:01:00,https://mill.example,2,buy\n",
		"url and referrer": "session_id,visit_id,created_at,url,event_type,event_name,referrer\ns,v,2024-05-01 10:00:00,https://mill.example/menu?a=1,1,,\ns,v,2024-05-01 10:01:00,https://mill.example,2,buy,\n",
		"url_path":         "session_id,visit_id,created_at,url_path,url_query,page_title,event_type,event_name\ns,v,2024-05-01 10:00:00,HTTPS://mill.example/menu,a=1,,1,\ns,v,2024-05-01 10:01:00,https://mill.example/,,,2,buy\n",
	} {
		r, err := translate(t, strings.NewReader(text), adapters.Options{}, "-")
		if err != nil || len(r.events) != 2 {
			t.Fatalf("%s: got %d events, %v", name, len(r.events), err)
		}
		view, custom := &r.events[0], &r.events[1]
		if view.Kind != pipeline.Pageview || view.Hostname != "mill.example" || view.Path != "/menu" || view.Query != "a=1" {
			t.Errorf("%s: the view is %+v", name, view)
		}
		if custom.Kind != pipeline.Custom || custom.Name != "buy" || custom.Path != "/" {
			t.Errorf("%s: the event is %+v", name, custom)
		}
	}
}

// What a spreadsheet has destroyed is refused, with the column and a value.
func TestSpreadsheetLosses(t *testing.T) {
	for want, row := range map[string]string{
		"1.23E+12":   "1.23E+12,v,2024-05-01 10:00:00",
		"4,5E+11":    `s,"4,5E+11",2024-05-01 10:00:00`,
		"2024-05-01": "s,v,2024-05-01",
		"45413":      "s,v,45413",
	} {
		text := fmt.Sprintf("session_id,visit_id,created_at,url_path,url_query,page_title,event_type\n%s,/,,,1\n", row)
		_, err := translate(t, strings.NewReader(text), adapters.Options{}, "-")
		var known *input.Error
		if !errors.As(err, &known) || known.Field == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	// One time of day tells that the others are midnight.
	const text = "session_id,visit_id,created_at,url_path,url_query,page_title,event_type\ns,v,2024-05-01,/,,,1\ns,v,2024-05-01 10:00,/,,,1\ns,12E5,2024-05-02 00:00,/,,,1\n"
	if r, err := translate(t, strings.NewReader(text), adapters.Options{}, "-"); err != nil || len(r.events) != 3 {
		t.Errorf("got %d events, %v", len(r.events), err)
	}
}

// A dump is told by its columns where a tool has changed the table's name.
func TestInsertsIntoAnyName(t *testing.T) {
	const text = "INSERT INTO `table` (`website_id`, `session_id`, `visit_id`, `created_at`, `url_path`, `url_query`, `page_title`, `event_type`) VALUES ('w', 's', 'v', '2024-05-01 10:00:00', '/', '', '', 1);\n"
	ins, err := input.Open(t.Context(), []string{"-"}, strings.NewReader(text), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer ins.Close()
	if m := (umami.Adapter{}).Match(t.Context(), ins.Files); m.Fit != adapters.Fits {
		t.Errorf("got %+v", m)
	}
}

// A table's name before a column, and quotes around it, change nothing.
func TestQualifiedColumns(t *testing.T) {
	for _, header := range []string{
		"e.session_id,e.visit_id,e.created_at,e.url_path,e.url_query,e.page_title,e.event_type,s.browser,s.country",
		"public.website_event.session_id,public.website_event.visit_id,public.website_event.created_at,public.website_event.url_path,public.website_event.url_query,public.website_event.page_title,public.website_event.event_type,public.session.browser,public.session.country",
		"`session_id`,`visit_id`,`created_at`,`url_path`,`url_query`,`page_title`,`event_type`,`browser`,`country`",
	} {
		r, err := translate(t, strings.NewReader(header+"\ns,v,2024-05-01 10:00:00,/menu,,,1,chrome,DE\n"), adapters.Options{}, "-")
		if err != nil || len(r.events) != 1 {
			t.Errorf("%s: got %d events, %v", header, len(r.events), err)
			continue
		}
		if ev := &r.events[0]; ev.Visitor != "s" || ev.Path != "/menu" || ev.Browser != "chrome" || ev.Country != "DE" {
			t.Errorf("%s: got %+v", header, ev)
		}
	}
}
