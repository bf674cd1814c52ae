package fold

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestString(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "  ": "", "California": "california", "Île-de-France": "ile de france", "ILE DE FRANCE": "ile de france",
		"Côte d’Ivoire": "cote divoire", "Cote d'Ivoire": "cote divoire", "Trinidad & Tobago": "trinidad and tobago",
		"A&B": "a and b", "St. Lucia": "saint lucia", "Saint Lucia": "saint lucia", "The Gambia": "gambia", "Isle of the Dead": "isle of the dead",
		"Bosnia\u00a0& Herzegovina": "bosnia and herzegovina", "U.S.": "us", "Congo (DRC)": "congo drc", "Łódź": "lodz",
		"Þórshöfn": "thorshofn", "Straße": "strasse", "İstanbul": "istanbul", "Diyarbakır": "diyarbakir", "Bà Rịa–Vũng Tàu": "ba ria vung tau",
		"Đắk Lắk": "dak lak", "東京": "東京", "\xff": "", "the": "", "the the": "",
	} {
		if got := String(s); got != want {
			t.Errorf("String(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestKind(t *testing.T) {
	for name, want := range map[string][2]string{
		"california":                        {"california", ""},
		"state of sao paulo":                {"sao paulo", "state"},
		"osaka prefecture":                  {"osaka", "prefecture"},
		"moscow oblast":                     {"moscow", "region"},
		"sofia city province":               {"sofia", City},
		"federal territory of kuala lumpur": {"kuala lumpur", "territory"},
		"special region of yogyakarta":      {"yogyakarta", "region"},
		"region of southern denmark":        {"south denmark", "region"},
		"nenets autonomous okrug":           {"nenets", "okrug"},
		"county dublin":                     {"dublin", "county"},
		"state of the city":                 {"city", "state"},
		"capital region":                    {"capital", "region"},
		"district of columbia":              {"columbia", "district"},
		"region":                            {"region", ""},
		"state of":                          {"state of", ""},
		"western australia":                 {"west australia", ""},
		"":                                  {"", ""},
	} {
		if bare, kind := Kind(name); bare != want[0] || kind != want[1] {
			t.Errorf("Kind(%q) = %q, %q, want %q", name, bare, kind, want)
		}
	}
}

// Folding twice is folding once, appending leaves what is there, and the bare
// name is never empty nor longer.
func TestAnyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`((the|St\.|&|of|State|city|County|É|x)[ -]?){0,6}`)).Draw(t, "name")
		once := String(s)
		if !utf8.ValidString(once) || strings.Contains(once, "  ") || strings.TrimSpace(once) != once {
			t.Fatalf("String(%q) = %q", s, once)
		}
		if got := string(Append([]byte("the "), s)); got != "the "+once {
			t.Fatalf("Append(%q) = %q, want %q", s, got, "the "+once)
		}
		if twice := String(once); twice != once {
			t.Fatalf("String(%q) = %q, again %q", s, once, twice)
		}
		if bare, kind := Kind(once); len(bare) > len(once) || (bare == "") != (once == "") {
			t.Fatalf("Kind(%q) = %q, %q", once, bare, kind)
		}
	})
}

func FuzzKind(f *testing.F) {
	f.Add("State of Rio de Janeiro")
	f.Fuzz(func(t *testing.T, s string) {
		name := String(s)
		if bare, _ := Kind(name); (bare == "") != (name == "") {
			t.Errorf("Kind(%q) = %q", name, bare)
		}
	})
}
