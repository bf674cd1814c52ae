// Package fold brings names of places and languages to the form in which they
// are compared. The generator of the tables and the look-ups share it, so a
// name that went into a table is found again however it is spelled: "Île-de-France",
// "Ile de France" and "ILE-DE-FRANCE" are one name.
package fold

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// letters have no canonical decomposition, yet a plain spelling that other
// sources use.
var letters = map[rune]string{
	'ø': "o", 'œ': "oe", 'æ': "ae", 'ß': "ss", 'đ': "d", 'ð': "d", 'þ': "th", 'ł': "l", 'ı': "i", 'ħ': "h",
}

// apostrophes and full stops stand inside a word: they vanish, while all other
// punctuation parts words.
func silent(r rune) bool {
	return strings.ContainsRune(".'’‘ʻʼʿʾ`´′", r)
}

// Append appends the folded form of s to dst and returns it: lower-case words
// without diacritics, parted by single spaces, "&" as "and", "St." as "saint",
// without a leading "the".
func Append(dst []byte, s string) []byte {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			s = norm.NFD.String(s)
			break
		}
	}
	start := len(dst) // of the name
	word := len(dst)  // of the current word
	endWord := func() {
		switch string(dst[word:]) {
		case "the":
			if word == start {
				dst = dst[:start]
			}
		case "st":
			dst = append(dst[:word], "saint"...)
		}
		if len(dst) > start && dst[len(dst)-1] != ' ' {
			dst = append(dst, ' ')
		}
		word = len(dst)
	}
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			dst = append(dst, byte(r))
		case 'A' <= r && r <= 'Z':
			dst = append(dst, byte(r-'A'+'a'))
		case unicode.Is(unicode.Mn, r) || silent(r):
		case r == '&':
			endWord()
			dst = append(dst, "and"...)
			endWord()
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			r = unicode.ToLower(r)
			if plain, ok := letters[r]; ok {
				dst = append(dst, plain...)
			} else {
				dst = utf8.AppendRune(dst, r)
			}
		default:
			endWord()
		}
	}
	endWord()
	if len(dst) > start {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// String returns the folded form of s, see [Append].
func String(s string) string { return string(Append(nil, s)) }

// City is the kind under which [Kind] puts all kinds of towns.
const City = "city"

// kinds are the nouns that say what kind of subdivision a name belongs to, and
// under which kind each counts: official names have their own language's.
var kinds = map[string]string{
	"state": "state", "province": "province", "region": "region", "county": "county", "prefecture": "prefecture",
	"governorate": "governorate", "district": "district", "department": "department", "canton": "canton",
	"division": "division", "voivodeship": "voivodeship", "krai": "krai", "okrug": "okrug", "republic": "republic",
	"territory": "territory", "emirate": "emirate", "parish": "parish", "raion": "raion", "community": "community",
	"principality": "principality", "oblast": "region", "city": City, "municipality": City,

	"estado": "state", "provincia": "province", "comunidad": "community", "departamento": "department", "principado": "principality",
	"kray": "krai", "kraj": "krai", "respublika": "republic", "voblasts": "region", "oblysy": "region", "rayon": "raion",
	"lan": "county", "zupanija": "county", "apskritis": "county", "wilaya": "province", "sheng": "province", "zizhiqu": "region", "do": "province",
	"qalasy": City, "shaary": City, "shahri": City, "shi": City, "miestas": City,
}

// manners narrow a kind down ("Autonomous Region") and never stand for one
// alone: "Capital" by itself may be the name.
var manners = map[string]bool{
	"autonomous": true, "special": true, "metropolitan": true, "federal": true, "capital": true, "union": true,
	"administrative": true, "national": true, "chartered": true, "free": true, "autonoma": true,
}

// Kind parts a folded name into the place's bare name and the word for its kind:
// "state of sao paulo" is "sao paulo", "state"; "osaka prefecture" is "osaka",
// "prefecture". Compass words lose their "-ern". Where several words tell the
// kind, [City] wins ("sofia city province"), else the outermost. A name without
// such a word has an empty kind; the last word is never taken for one.
func Kind(name string) (bare, kind string) {
	words := make([]string, 0, 8)
	words = append(words, strings.Fields(name)...)
	note := func(w string) {
		if k := kinds[w]; k == City || kind == "" {
			kind = k
		}
	}
	// "[federal] territory of …", "county …"
	for i, w := range words {
		if manners[w] {
			continue
		}
		if kinds[w] != "" && i+2 < len(words) && (words[i+1] == "of" || words[i+1] == "de" || words[i+1] == "del") {
			note(w)
			words = words[i+2:]
			if len(words) > 1 && words[0] == "the" {
				words = words[1:]
			}
		} else if i == 0 && w == "county" && len(words) > 1 {
			note(w)
			words = words[1:]
		}
		break
	}
	// "… [autonomous] region"
	n := len(words)
	for n > 1 && kinds[words[n-1]] != "" {
		note(words[n-1])
		n--
		for n > 1 && manners[words[n-1]] {
			n--
		}
	}
	words = words[:n]
	for i, w := range words {
		for _, compass := range [...]string{"north", "south", "east", "west"} {
			if strings.HasSuffix(w, compass+"ern") {
				words[i] = strings.TrimSuffix(w, "ern")
			}
		}
	}
	return strings.Join(words, " "), kind
}
