package pipeline

import (
	"strings"
	"testing"
)

// normalizedBy returns what a normalizer with some privacy makes of an event.
func normalizedBy(t *testing.T, p Privacy, ev Event) (Event, Tally) {
	t.Helper()
	n := Normalizer{Privacy: p}
	var repaired Tally
	ev.Time, ev.Visitor = 1, "b2a9b6de-7d1f-4f8e-8e3c-0a3c5d1e2f40"
	if decided := n.normalize(&ev, &Limits{}, &repaired, new(known)); decided != (outcome{}) {
		t.Fatalf("the event is not kept: %+v", decided)
	}
	return ev, repaired
}

func TestPrivacyDropsQueryKeys(t *testing.T) {
	p := Privacy{QueryKeys: []string{"Email", "utm_*", "filter[q]"}}
	for _, c := range []struct{ query, want string }{
		{"", ""},
		{"page=2", "page=2"},
		{"email=a%40b.example&page=2", "page=2"},
		{"page=2&EMAIL=x", "page=2"},
		{"e%6Dail=x&utm_source=n&UTM_medium&a=b%26c", "a=b%26c"},
		{"filter%5Bq%5D=x", ""},
		{"emails=x&mail=y", "emails=x&mail=y"},
	} {
		ev, repaired := normalizedBy(t, p, Event{
			Path: "/", Query: c.query, Referrer: "https://a.example/x?" + c.query + "#top",
			Kind: Outbound, Target: "https://b.example/?" + c.query,
		})
		if ev.Query != c.want {
			t.Errorf("%q: the query is %q, want %q", c.query, ev.Query, c.want)
		}
		suffix := ""
		if c.want != "" || c.query == "" {
			suffix = "?" + c.want
		}
		if want := "https://a.example/x" + suffix + "#top"; ev.Referrer != want {
			t.Errorf("%q: the referrer is %q, want %q", c.query, ev.Referrer, want)
		}
		if want := "https://b.example/" + suffix; ev.Target != want {
			t.Errorf("%q: the target is %q, want %q", c.query, ev.Target, want)
		}
		if got, want := repaired[RepairQueryKeys].Count, int64(1); c.query != c.want && got != want || c.query == c.want && got != 0 {
			t.Errorf("%q: counted %d times", c.query, got)
		}
	}
}

func TestPrivacyDropsProperties(t *testing.T) {
	ps := []Property{{Key: "plan", Value: "pro"}, {Key: "E-Mail", Value: "x"}, {Key: "user_name", Value: "y"}}
	ev, repaired := normalizedBy(t, Privacy{Properties: []string{"e-mail", "user_*"}}, Event{Path: "/", Properties: ps, UserProperties: ps[1:]})
	if len(ev.Properties) != 1 || ev.Properties[0].Key != "plan" || len(ev.UserProperties) != 0 {
		t.Errorf("kept %v and %v", ev.Properties, ev.UserProperties)
	}
	if ps[1].Key != "E-Mail" {
		t.Error("the caller's properties were changed")
	}
	if repaired[RepairDropped].Count != 1 {
		t.Errorf("repairs: %v", repaired)
	}
}

func TestPrivacyAnonymizes(t *testing.T) {
	key := []byte("0123456789abcdef")
	plain, _ := normalizedBy(t, Privacy{}, Event{Path: "/", Session: "s1", Identified: "jane"})
	once, repaired := normalizedBy(t, Privacy{VisitorKey: key}, Event{
		Path: "/", Session: "s1", Identified: "jane", UserProperties: []Property{{Key: "email", Value: "x"}},
	})
	again, _ := normalizedBy(t, Privacy{VisitorKey: key}, Event{Path: "/", Session: "s1"})
	other, _ := normalizedBy(t, Privacy{VisitorKey: []byte("another")}, Event{Path: "/", Session: "s1"})
	if once.Visitor == plain.Visitor || once.Session == plain.Session || once.Identified != "" || once.UserProperties != nil {
		t.Errorf("not anonymous: %+v", once)
	}
	if once.Visitor != again.Visitor || once.Session != again.Session {
		t.Error("the same key gives other ids")
	}
	if once.Visitor == other.Visitor {
		t.Error("another key gives the same id")
	}
	if !IsUUID(once.Visitor) || strings.ToLower(once.Visitor) != once.Visitor {
		t.Errorf("%q is no UUID in lower case", once.Visitor)
	}
	if repaired[RepairAnonymized].Count != 1 {
		t.Errorf("repairs: %v", repaired)
	}
}
