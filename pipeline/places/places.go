// Package places turns what sources call countries, their regions and languages
// into codes: ISO 3166-1 alpha-2, ISO 3166-2 and BCP 47.
//
// Codes are accepted in any case and current form ("us", "USA", "us-ca", "pt_BR");
// withdrawn codes become their successor where there is just one ("UK", "CN-11").
// English names are matched as CLDR, ISO and Google Analytics write them, today
// and in archives of ten years ago, without regard to case, diacritics,
// punctuation and the word that tells a region's kind: "Ile-de-France", "State of
// Rio de Janeiro", "Macedonia (FYROM)". Where two places could be meant there is
// no answer, so that a wrong flag never stands in a report.
//
// The tables are generated from maintained datasets (see the directory gen and
// NOTICE.md), embedded, and parsed once, on first use, those of regions country by
// country. All
// functions may be called concurrently. Codes cost some ten nanoseconds and no
// allocation; a name costs up to a microsecond.
package places

import (
	_ "embed"
	"strings"
	"sync"

	"golang.org/x/text/language"

	"hopper/pipeline/places/internal/fold"
)

// maxName is the length in bytes above which no text is looked up: the longest
// name in the tables has about 100.
const maxName = 200

// MaxTag is the greatest length in bytes of a tag that [Language] returns.
const MaxTag = 35

//go:embed places.txt
var data string

type tables struct {
	alpha2    [26 * 26]string     // code itself, or its successor
	alpha3    map[string]string   // → alpha-2
	countries map[string]string   // folded name → alpha-2
	withdrawn map[string]string   // ISO 3166-2 → successor
	regions   map[string]*regions // by alpha-2
	languages map[string]string   // folded name → tag
	twoLetter [26 * 26]bool       // languages whose two-letter tag is canonical
}

// regions are those of one country.
type regions struct {
	lines string // of the data
	parse sync.Once
	codes map[string]string // assigned ISO 3166-2 → itself
	// What follows are folded names.
	exact map[string]string // whole name
	kind  map[string]string // bare name, "#", kind; see [fold.Kind]
	any   map[string]string // bare name with whatever kind
}

var load = sync.OnceValue(parse)

func parse() *tables {
	t := &tables{
		alpha3:    map[string]string{},
		countries: map[string]string{},
		withdrawn: map[string]string{},
		regions:   map[string]*regions{},
		languages: map[string]string{},
	}
	for rest := data; rest != ""; {
		line := rest[:strings.IndexByte(rest, '\n')+1]
		if line[0] == 'R' { // a country's stand together
			country := line[len("R\t"):len("R\tUS")]
			lines := regionsOf(country, rest)
			t.regions[country] = &regions{lines: lines}
			rest = rest[len(lines):]
			continue
		}
		rest = rest[len(line):]
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		code, names := f[1], f[2:]
		switch f[0] {
		case "A": // withdrawn region: code, successor
			t.withdrawn[code] = names[0]
		case "C": // country: alpha-2, alpha-3, names
			t.alpha2[pair(code[0], code[1])] = code
			t.alpha3[names[0]] = code
			for _, name := range names[1:] {
				t.countries[name] = code
			}
		case "F": // withdrawn country: code, successor
			t.alpha2[pair(code[0], code[1])] = names[0]
		case "L": // language: tag, names
			for _, name := range names {
				t.languages[name] = code
			}
			if len(code) == 2 && language.Make(code).String() == code {
				t.twoLetter[pair(code[0], code[1])] = true
			}
		}
	}
	return t
}

// regionsOf returns the lines at the beginning of rest that are of a country's regions.
func regionsOf(country, rest string) string {
	end := 0
	for strings.HasPrefix(rest[end:], "R\t"+country) {
		end += strings.IndexByte(rest[end:], '\n') + 1
	}
	return rest[:end]
}

// of returns a country's regions, nil where it has none.
func (t *tables) of(country string) *regions {
	r := t.regions[country]
	if r != nil {
		r.parse.Do(r.fill)
	}
	return r
}

func (r *regions) fill() {
	r.codes, r.exact, r.kind, r.any = map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}
	for line := range strings.Lines(r.lines) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t") // "R", code, names
		r.codes[f[1]] = f[1]
		for _, key := range f[2:] {
			r.add(key, f[1])
		}
	}
}

// add files a key as the generator writes it: "name" for the whole name alone,
// "name*" also for the name with any kind, "*name" only for that, "name#kind".
func (r *regions) add(key, code string) {
	if name, ok := strings.CutPrefix(key, "*"); ok {
		r.any[name] = code
	} else if name, ok := strings.CutSuffix(key, "*"); ok {
		r.exact[name], r.any[name] = code, code
	} else if strings.Contains(key, "#") {
		r.kind[key] = code
	} else {
		r.exact[key] = code
	}
}

// pair numbers two ASCII letters, whatever their case.
func pair(a, b byte) int { return int(a&^' '-'A')*26 + int(b&^' '-'A') }

// Country returns the ISO 3166-1 alpha-2 code, XK for Kosovo among them, for an
// alpha-2 or alpha-3 code or an English name.
func Country(s string) (code string, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) > maxName {
		return "", false
	}
	t := load()
	if code, ok := t.alphaCode(s); ok {
		return code, true
	}
	var buf [maxName]byte
	code, ok = t.countries[string(fold.Append(buf[:0], s))]
	return code, ok
}

// alphaCode reads s as an alpha-2 or alpha-3 code.
func (t *tables) alphaCode(s string) (string, bool) {
	if len(s) != 2 && len(s) != 3 {
		return "", false
	}
	var up [3]byte
	for i := range len(s) {
		c := s[i] &^ ' '
		if c < 'A' || 'Z' < c {
			return "", false
		}
		up[i] = c
	}
	if len(s) == 3 {
		code, ok := t.alpha3[string(up[:])]
		return code, ok
	}
	code := t.alpha2[pair(up[0], up[1])]
	return code, code != ""
}

// Region returns the ISO 3166-2 code for a region of a country: for a code with
// or without its country ("CA", "us-ca") or an English name. The country is an
// alpha-2 code in any case; it may be empty for a region that has its own.
//
// A code with its country is kept even if the tables lack it, being newer or
// older than they are; a bare code must be known. A code or name that belongs to
// another country has no answer, and neither has a name that two regions share
// unless the word for its kind tells them apart. Territories whose regions ISO
// gives no codes (Puerto Rico, Hong Kong) have none.
func Region(country, s string) (code string, ok bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > maxName {
		return "", false
	}
	t := load()
	if country != "" {
		if len(country) != 2 {
			return "", false
		}
		if country, ok = t.alphaCode(country); !ok {
			return "", false
		}
	}
	if len(s) >= 4 && len(s) <= 6 && s[2] == '-' {
		own, ok := t.alphaCode(s[:2])
		if !ok || country != "" && own != country {
			return t.regionName(country, s)
		}
		if code, ok := t.regionCode(own, s[3:]); ok {
			return code, true
		}
		if code, ok := t.regionName(country, s); ok {
			return code, true
		}
		return unlisted(own, s)
	}
	if country == "" {
		return "", false
	}
	if len(s) <= 3 {
		if code, ok := t.regionCode(country, s); ok {
			return code, true
		}
	}
	return t.regionName(country, s)
}

// regionCode looks up the part of a code after the country's.
func (t *tables) regionCode(country, s string) (string, bool) {
	var buf [6]byte
	n := copy(buf[:], country)
	buf[n] = '-'
	n++
	if len(s) > len(buf)-n {
		return "", false
	}
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		buf[n] = c
		n++
	}
	if code, ok := t.withdrawn[string(buf[:n])]; ok {
		return code, true
	}
	if r := t.of(country); r != nil {
		code, ok := r.codes[string(buf[:n])]
		return code, ok
	}
	return "", false
}

// unlisted keeps a code that the tables lack if it has a code's form.
func unlisted(country, s string) (string, bool) {
	for i := 3; i < len(s); i++ {
		if c := s[i] &^ ' '; ('A' > c || c > 'Z') && ('0' > s[i] || s[i] > '9') {
			return "", false
		}
	}
	return country + strings.ToUpper(s[2:]), true
}

func (t *tables) regionName(country, s string) (string, bool) {
	r := t.of(country)
	if r == nil {
		return "", false
	}
	var buf [maxName]byte
	name := fold.Append(buf[:0], s)
	if code, ok := r.exact[string(name)]; ok {
		return code, true
	}
	bare, kind := fold.Kind(string(name))
	if code, ok := r.kind[bare+"#"+kind]; ok {
		return code, true
	}
	code, ok := r.any[bare]
	return code, ok
}

// Language returns the BCP 47 tag, of at most [MaxTag] bytes, for a tag in any
// case with hyphens or underscores ("en-us", "pt_BR.UTF-8") or an English name
// ("Brazilian Portuguese"). Extensions and what does not fit are cut off: a
// language is kept rather than lost.
func Language(s string) (tag string, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) < 2 || len(s) > maxName {
		return "", false
	}
	t := load()
	if tag, ok := t.common(s); ok {
		return tag, true
	}
	id := s
	if i := strings.IndexAny(id, ".@"); i > 0 {
		id = id[:i] // POSIX: en_US.UTF-8@euro
	}
	if parsed, err := language.Parse(id); err == nil {
		if tag := short(parsed.String()); tag != "" && tag != "und" {
			return tag, true
		}
	}
	var buf [maxName]byte
	tag, ok = t.languages[string(fold.Append(buf[:0], s))]
	return tag, ok
}

// common reads the forms that nearly all events have, "en" and "en-US", without
// the general parser. What is canonical already is returned as it is.
func (t *tables) common(s string) (string, bool) {
	if len(s) != 2 && (len(s) != 5 || s[2] != '-' && s[2] != '_') {
		return "", false
	}
	tag := [5]byte{s[0] | ' ', s[1] | ' '}
	if tag[0] < 'a' || 'z' < tag[0] || tag[1] < 'a' || 'z' < tag[1] || !t.twoLetter[pair(tag[0], tag[1])] {
		return "", false
	}
	if len(s) == 5 {
		country, ok := t.alphaCode(s[3:])
		if !ok || country[0] != s[3]&^' ' || country[1] != s[4]&^' ' {
			return "", false // none, or withdrawn
		}
		tag[2], tag[3], tag[4] = '-', country[0], country[1]
	}
	if string(tag[:len(s)]) == s {
		return s, true
	}
	return string(tag[:len(s)]), true
}

// short cuts a canonical tag off before its extensions and at [MaxTag].
func short(tag string) string {
	end := 0
	for i := 0; i < len(tag); {
		n := strings.IndexByte(tag[i:], '-')
		if n < 0 {
			n = len(tag) - i
		}
		if n == 1 || i+n > MaxTag {
			break
		}
		end = i + n
		i = end + 1
	}
	return tag[:end]
}
