package umami_test

import (
	"strings"
	"testing"

	"hopper/adapters"
	"hopper/adapters/input"
	"hopper/adapters/umami"
)

// What is missing is told with the command of the database that the rest is from.
func TestAdvice(t *testing.T) {
	const mysqlEvents = "-- MySQL dump 10.13\nINSERT INTO `website_event` (`website_id`,`session_id`,`created_at`,`url_path`,`url_query`,`page_title`,`event_type`) VALUES ('w','s','2024-05-01 10:00:00','/','','',1);\n"
	const pgEvents = "-- PostgreSQL database dump\nCOPY public.website_event (website_id, session_id, created_at, url_path, url_query, page_title, event_type) FROM stdin;\nw\ts\t2024-05-01 10:00:00\t/\t\t\t1\n\\.\n"
	for text, want := range map[string]string{
		mysqlEvents: "mysqldump --single-transaction umami session event_data > umami.sql",
		pgEvents:    "for t in session event_data; do psql \"$DATABASE_URL\" -c \"\\copy $t to '$t.csv' csv header\"; done",
		"website_id,session_id,created_at,url_path,url_query,page_title,event_type,browser,os,country\nw,s,2024-05-01 10:00:00,/,,,1,chrome,,\n": "from umami.event_data format CSVWithNames\" > event_data.csv",
		"session_id,created_at,url,referrer\n1,2024-05-01 10:00:00,/,\n":                                                                         "event, session, event_data",
	} {
		ins, err := input.Open(t.Context(), []string{"-"}, strings.NewReader(text), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer ins.Close()
		reading, err := umami.Adapter{}.Match(t.Context(), ins.Files).Open(t.Context(), adapters.Options{TempDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(reading.Advice, " "); !strings.Contains(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
		reading.Source.Close()
	}
}
