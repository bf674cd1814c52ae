package sandbox

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// page returns the dashboard as text.
func (b *box) page(query string) answer {
	b.Helper()
	resp, err := http.Get(b.http.URL + "/" + query)
	if err != nil {
		b.Fatal(err)
	}
	return readAnswer(b, resp)
}

func TestDashboard(t *testing.T) {
	b, id := siteWithTraps(t, Options{})
	page := b.page("")
	text := strings.Join(strings.Fields(regexp.MustCompile(`<style>[\s\S]*</style>|<[^>]*>`).ReplaceAllString(page.body, " ")), " ")
	for _, want := range []string{
		"events from 2025-03-01 to 2025-03-02", "Users 2", "Sessions 3", "Pageviews 5", "Pages per session 1.67", "Bounce rate 33.3%",
		"Session duration 20m13s", "2025-03-01: 4 pageviews, 3 sessions, 2 users", "Pages sessions /a 2 /b 2 /c 1", "google.com 1",
		"Exit pages sessions /a 2 /c 1", "Events events 123 1", "Organic Search 1", id + " plausible 6 0 0 complete",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if strings.Contains(page.body, "<script") || !strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error("the page allows scripts")
	}
	if t.Failed() {
		t.Log(text)
	}
	if page := b.page("?start_date=2025-03-02&end_date=2025-03-02"); !strings.Contains(page.body, "<dt>Pageviews</dt><dd>1</dd>") {
		t.Errorf("a day is shown as %s", page.body)
	}
	for query, want := range map[string]string{"?start_date=tomorrow": "Invalid start_date or end_date", "?start_date=1999-01-01&end_date=1999-01-02": "<dd>–</dd>"} {
		if page := b.page(query); page.status != 200 || !strings.Contains(page.body, want) {
			t.Errorf("%s: %s", query, page.body)
		}
	}
}

func TestDashboardOfAnEmptySite(t *testing.T) {
	b := newBox(t, Options{})
	if page := b.page(""); !strings.Contains(page.body, "The site has no events yet") {
		t.Errorf("got %s", page.body)
	}
}

func TestDashboardEscapes(t *testing.T) {
	b := newBox(t, Options{})
	hostile := `</span><script>alert(1)</script>"'`
	err := b.server.Track(t.Context(), Tracked{Time: noon.Add(-time.Hour), Type: pageview, SessionID: "s", UserID: "u", Pathname: hostile, Browser: hostile, Country: hostile})
	if err != nil {
		t.Fatal(err)
	}
	if page := b.page(""); strings.Contains(page.body, "<script") || !strings.Contains(page.body, "&lt;script&gt;") {
		t.Errorf("got %s", page.body)
	}
}
