// Command gen writes places.txt, the tables behind package places, from the npm
// packages named in [sources]. It takes the directory of their tarballs, as
// "npm pack" leaves them, and prints the table:
//
//	npm pack --pack-destination DIR iso-3166@4.4.0 cldr-core@48.2.0 \
//		cldr-localenames-full@48.2.0 cldr-localenames-modern@34.0.0 \
//		cldr-subdivisions-full@48.2.0 i18n-iso-countries@7.14.0 iso3166-2-db@2.3.11
//	go run ./pipeline/places/gen DIR >pipeline/places/places.txt
//
// A line is tab-separated: C, a country's alpha-2 and alpha-3 codes and names; F,
// a withdrawn alpha-2 code and its successor; R, a region's code and names; A, a
// withdrawn region's code and its successor; L, a language's tag and names. Names
// are folded, see [fold.String], those of regions marked by what [bareKeys] tells.
//
// Names come in three ranks. CLDR's English names decide, being current and, with
// few exceptions, unique within a country; then ISO's own, then the aliases that
// iso3166-2-db collected. A rank speaks only where a better one is silent, and a
// name that one rank gives to two places is left out: no look-up guesses.
package main

import (
	"archive/tar"
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"hopper/pipeline/places/internal/fold"
)

// sources are the tarballs that must be there, and what each is read for.
var sources = map[string]string{
	"iso":   "iso-3166-4.4.0.tgz",                 // ISO 3166-1 and -2: codes, official names, parents (MIT)
	"core":  "cldr-core-48.2.0.tgz",               // successors of withdrawn codes (Unicode-3.0)
	"names": "cldr-localenames-full-48.2.0.tgz",   // English names of countries and languages (Unicode-3.0)
	"old":   "cldr-localenames-modern-34.0.0.tgz", // the same of 2018, as archives of that time use them (Unicode)
	"sub":   "cldr-subdivisions-full-48.2.0.tgz",  // English names of subdivisions (Unicode-3.0)
	"i18n":  "i18n-iso-countries-7.14.0.tgz",      // English aliases of countries (MIT)
	"db":    "iso3166-2-db-2.3.11.tgz",            // aliases of subdivisions (MIT; names of Wikipedia articles and GeoNames)
}

// reassigned are countries in which ISO gave withdrawn codes new meanings, where
// CLDR and iso3166-2-db, whose identifiers never change, keep the old ones. Only
// ISO's own names count there.
var reassigned = map[string]bool{"IR": true, "MA": true}

// mistaken are codes whose names are another's, by the rank that errs: in CLDR 48
// a district and a division of Bangladesh and two districts of Uganda, in
// iso3166-2-db a governorate of Bahrain and two provinces of Cambodia.
var mistaken = map[string]int{
	"BD-06": 0, "BD-A": 0, "UG-330": 0, "UG-331": 0,
	"BH-17": 2, "KH-3": 2, "KH-6": 2,
}

// corrected are codes that CLDR 48 writes otherwise than ISO.
var corrected = map[string]string{"CN-MN": "CN-NM", "FR-COR": "FR-20R"}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: gen DIRECTORY-OF-TARBALLS")
	}
	out := bufio.NewWriter(os.Stdout)
	if err := errors.Join(generate(os.Args[1], out), out.Flush()); err != nil {
		log.Fatal(err)
	}
}

func generate(dir string, w io.Writer) error {
	src, err := read(dir)
	if err != nil {
		return err
	}
	countries := src.countryNames()
	lines := src.countryLines(countries)
	lines = append(lines, src.regionLines(countries)...)
	lines = append(lines, src.languageLines()...)
	slices.Sort(lines)
	for _, l := range slices.Compact(lines) { // two withdrawn codes can be one: Burma's
		if _, err := fmt.Fprintln(w, l); err != nil {
			return err
		}
	}
	return nil
}

// source is what the packages hold.
type source struct {
	isoCountries, isoRegions, reserved     []map[string]string
	territories, oldTerritories, languages map[string]string
	alias                                  struct {
		Supplemental struct {
			Metadata struct {
				Alias struct{ TerritoryAlias, SubdivisionAlias map[string]replacement }
			}
		}
	}
	subdivisions struct {
		Subdivisions struct {
			LocaleDisplayNames struct{ Subdivisions map[string]string }
		}
	}
	i18n struct{ Countries map[string]oneOrMore }
	db   map[string]struct {
		Regions []struct {
			ISO, Name string
			Names     struct{ En, Geonames string }
		}
	}
}

func read(dir string) (*source, error) {
	p := packages{dir: dir}
	s := &source{
		isoCountries:   p.js("iso", "1.js"),
		isoRegions:     p.js("iso", "2.js"),
		reserved:       p.js("iso", "1-reserved.js"),
		territories:    p.cldr("names", "territories"),
		oldTerritories: p.cldr("old", "territories"),
		languages:      p.cldr("names", "languages"),
	}
	p.json("core", "supplemental/aliases.json", &s.alias)
	p.json("sub", "subdivisions/en/en.json", &s.subdivisions)
	p.json("i18n", "langs/en.json", &s.i18n)
	p.json("db", "data/iso3166-2.json", &s.db)
	return s, p.err
}

// alpha3 maps the alpha-2 codes of all countries to their alpha-3 codes. Kosovo
// has them by a user's assignment that everyone follows.
func (s *source) alpha3() map[string]string {
	codes := map[string]string{"XK": "XKX"}
	for _, e := range s.isoCountries {
		codes[e["alpha2"]] = e["alpha3"]
	}
	return codes
}

func (s *source) countryNames() *names {
	alpha3 := s.alpha3()
	n := newNames()
	add := func(rank int, name, code string) {
		if alpha3[code] != "" {
			n.add(rank, name, code)
		}
	}
	cldr := func(rank int, territories map[string]string) {
		for k, name := range territories {
			code, _, _ := strings.Cut(k, "-alt-")
			add(rank, name, code)
		}
	}
	cldr(0, s.territories)
	for _, e := range s.isoCountries {
		add(1, e["name"], e["alpha2"])
	}
	cldr(2, s.oldTerritories)
	for code, names := range s.i18n.Countries {
		for _, name := range names {
			add(3, name, code)
		}
	}
	return n
}

func (s *source) countryLines(n *names) []string {
	var lines []string
	alpha3, byCode := s.alpha3(), n.byCode()
	for code, a3 := range alpha3 {
		lines = append(lines, line("C", append([]string{code, a3}, byCode[code]...)...))
	}
	for _, e := range s.reserved {
		if e["state"] == "indeterminately-reserved" || e["state"] == "formerly-assigned" {
			continue // road signs, and codes withdrawn before the web
		}
		if to := s.alias.Supplemental.Metadata.Alias.TerritoryAlias[e["alpha2"]].Replacement; alpha3[to] != "" {
			lines = append(lines, line("F", e["alpha2"], to))
		}
	}
	return lines
}

func (s *source) languageLines() []string {
	n := newNames()
	for k, name := range s.languages {
		tag, variant, _ := strings.Cut(k, "-alt-")
		if tag != "und" && tag != "mul" && tag != "zxx" {
			n.add(len(variant), name, tag) // an alternative ranks lower
		}
	}
	var lines []string
	for tag, keys := range n.byCode() {
		lines = append(lines, line("L", append([]string{tag}, keys...)...))
	}
	return lines
}

func (s *source) regionLines(countries *names) []string {
	known := map[string]bool{}   // codes that ISO assigns or once did
	current := map[string]bool{} // codes that ISO assigns
	for _, e := range s.isoRegions {
		known[e["code"]], current[e["code"]] = true, true
	}
	successor := maps.Clone(corrected)
	for from, to := range s.alias.Supplemental.Metadata.Alias.SubdivisionAlias {
		code := dash(to.Replacement)
		successor[dash(from)] = cmp.Or(corrected[code], code)
	}
	// now is the assigned code for one that may be withdrawn, or none.
	now := func(code string) string {
		if to := successor[code]; !current[code] && current[to] && to[:2] == code[:2] {
			code = to
		}
		if !current[code] {
			return ""
		}
		return code
	}

	n := regionNames{exact: map[string]*names{}, kinds: map[string]map[string]map[string]bool{}}
	for k, name := range s.subdivisions.Subdivisions.LocaleDisplayNames.Subdivisions {
		known[dash(k)] = true
		if code := now(dash(k)); code != "" && !reassigned[code[:2]] {
			n.add(0, code, name)
		}
	}
	for _, e := range s.isoRegions {
		n.add(1, e["code"], e["name"])
	}
	// An alias must not contradict what the better ranks say in other words:
	// "Region of Murcia" is Murcia's region, not its province.
	better := n.bareKeys()
	for country, c := range s.db {
		for _, r := range c.Regions {
			code := now(country + "-" + r.ISO)
			if code == "" || reassigned[country] {
				continue
			}
			for _, name := range []string{r.Names.En, r.Names.Geonames, r.Name} {
				bare, kind := fold.Kind(fold.String(name))
				if said := better[country+bare+"#"+kind]; kind == "" || said == "" || said == code {
					n.add(2, code, name)
				}
			}
		}
	}

	var lines []string
	keys := n.byCode(countries)
	for code := range known {
		lines = append(lines, line("R", append([]string{code}, keys[code]...)...))
	}
	for from := range successor {
		if to := now(from); to != "" && to != from {
			lines = append(lines, line("A", from, to))
		}
	}
	return lines
}

func line(kind string, fields ...string) string {
	return kind + "\t" + strings.Join(fields, "\t")
}

// regionNames collects the names of all countries' regions.
type regionNames struct {
	exact map[string]*names                     // by country
	kinds map[string]map[string]map[string]bool // country and bare name → code → kinds
}

func (n *regionNames) add(rank int, code, name string) {
	if errs, ok := mistaken[code]; ok && errs == rank {
		return
	}
	country := code[:2]
	if n.exact[country] == nil {
		n.exact[country] = newNames()
	}
	for _, v := range variants(name) {
		n.exact[country].add(rank, v, code)
		bare, kind := fold.Kind(fold.String(v))
		if bare == "" {
			continue
		}
		codes := n.kinds[country+bare]
		if codes == nil {
			codes = map[string]map[string]bool{}
			n.kinds[country+bare] = codes
		}
		if codes[code] == nil {
			codes[code] = map[string]bool{}
		}
		codes[code][kind] = true
	}
}

// bareKeys maps country and key, see the function of this name, to a code.
func (n *regionNames) bareKeys() map[string]string {
	all := map[string]string{}
	for k, codes := range n.kinds {
		for key, code := range bareKeys(k[2:], codes) {
			all[k[:2]+key] = code
		}
	}
	return all
}

// byCode returns each region's keys in order. A whole name that is also the bare
// name for any kind is one key, "name*".
func (n *regionNames) byCode(countries *names) map[string][]string {
	keys := map[string][]string{}
	for _, names := range n.exact {
		maps.Copy(keys, names.byCode())
	}
	for k, code := range n.bareKeys() {
		country, key := k[:2], k[2:]
		name, _, _ := strings.Cut(strings.TrimPrefix(key, "*"), "#")
		whole := n.exact[country].resolve(name)
		switch {
		case whole == "" && countries.resolve(name) == country:
			// "Capital Region of Denmark" does not make Denmark a region.
		case whole == code && key == "*"+name:
			keys[code][slices.Index(keys[code], name)] += "*"
		case whole == code && key == name+"#":
			// The whole name says as much.
		default:
			keys[code] = append(keys[code], key)
		}
	}
	for _, k := range keys {
		slices.Sort(k)
	}
	return keys
}

// bareKeys tells under which keys the regions of one country that share a bare
// name can be found: "name#kind" is the name with that kind of word, or none, and
// "*name" with any. A town is never found under another kind: "Kyiv Oblast" is
// not Kyiv.
func bareKeys(bare string, codes map[string]map[string]bool) map[string]string {
	keys := map[string]string{}
	if len(codes) == 1 {
		for code, kinds := range codes {
			if kinds[fold.City] {
				keys[bare+"#"], keys[bare+"#"+fold.City] = code, code
			} else {
				keys["*"+bare] = code
			}
		}
		return keys
	}
	count := map[string]int{}
	put := func(kind, code string) {
		keys[bare+"#"+kind] = code
		count[kind]++
	}
	for code, kinds := range codes {
		town := true
		for kind := range kinds {
			if kind != "" && kind != fold.City {
				put(kind, code)
				town = false
			}
		}
		if town {
			put(fold.City, code)
		}
	}
	for kind, n := range count {
		if n > 1 {
			delete(keys, bare+"#"+kind)
		}
	}
	return keys
}

var (
	aside    = regexp.MustCompile(`\s*[(\[][^)\]]*[)\]]`)
	inverted = regexp.MustCompile(`^([^,]+), ([^,]+)$`)
)

// variants are the spellings behind an official name: without what stands in
// brackets, each of several languages, "Madrid, Comunidad de" the right way round.
func variants(name string) []string {
	all := []string{name}
	plain := aside.ReplaceAllString(name, "")
	all = append(all, plain)
	for _, part := range strings.FieldsFunc(plain, func(r rune) bool { return r == '/' || r == ';' }) {
		part = strings.TrimSpace(part)
		all = append(all, part)
		if m := inverted.FindStringSubmatch(part); m != nil {
			all = append(all, m[2]+" "+m[1])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// names collects which codes go by a name, by the rank of who says so.
type names struct {
	m map[string]map[int]map[string]bool
}

func newNames() *names { return &names{m: map[string]map[int]map[string]bool{}} }

func (n *names) add(rank int, name, code string) {
	key := fold.String(name)
	if key == "" {
		return
	}
	if n.m[key] == nil {
		n.m[key] = map[int]map[string]bool{}
	}
	if n.m[key][rank] == nil {
		n.m[key][rank] = map[string]bool{}
	}
	n.m[key][rank][code] = true
}

// resolve returns the one code that the best rank gives to a folded name.
func (n *names) resolve(key string) string {
	ranks := slices.Sorted(maps.Keys(n.m[key]))
	if len(ranks) == 0 || len(n.m[key][ranks[0]]) > 1 {
		return ""
	}
	for code := range n.m[key][ranks[0]] {
		return code
	}
	return ""
}

func (n *names) byCode() map[string][]string {
	codes := map[string][]string{}
	for key := range n.m {
		if code := n.resolve(key); code != "" {
			codes[code] = append(codes[code], key)
		}
	}
	for _, keys := range codes {
		slices.Sort(keys)
	}
	return codes
}

// dash turns CLDR's "usca" into ISO's "US-CA".
func dash(s string) string {
	s = strings.ToUpper(s)
	return s[:min(2, len(s))] + "-" + s[min(2, len(s)):]
}

type replacement struct {
	Replacement string `json:"_replacement"`
}

// oneOrMore is a name or a list of names.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, (*[]string)(o)) == nil {
		return nil
	}
	*o = make([]string, 1)
	return json.Unmarshal(b, &(*o)[0])
}

// packages reads members of the tarballs; the first error stays.
type packages struct {
	dir string
	err error
}

func (p *packages) member(source, name string) []byte {
	if p.err != nil {
		return nil
	}
	data, err := member(filepath.Join(p.dir, sources[source]), "package/"+name)
	p.err = cmp.Or(p.err, err)
	return data
}

func member(tarball, name string) ([]byte, error) {
	f, err := os.Open(tarball)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tarball, err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", tarball, name, err)
		}
		if h.Name == name {
			return io.ReadAll(r)
		}
	}
}

func (p *packages) json(source, name string, v any) {
	data := p.member(source, name)
	if p.err != nil {
		return
	}
	if err := json.Unmarshal(data, v); err != nil {
		p.err = fmt.Errorf("%s: %s: %w", source, name, err)
	}
}

// cldr reads one kind of English display names.
func (p *packages) cldr(source, kind string) map[string]string {
	var v struct {
		Main struct {
			En struct {
				LocaleDisplayNames map[string]map[string]string
			}
		}
	}
	data := p.member(source, "main/en/"+kind+".json")
	if p.err != nil {
		return nil
	}
	// "identity" beside the names has other shapes: only what is named is read.
	if err := json.Unmarshal(data, &v); err != nil {
		p.err = fmt.Errorf("%s: %s: %w", source, kind, err)
	}
	return v.Main.En.LocaleDisplayNames[kind]
}

var (
	object = regexp.MustCompile(`(?s)\n  \{\n(.*?)\n  \}`)
	field  = regexp.MustCompile(`(?m)^    (\w+):\s+(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"),?$`)
)

// js reads a list of flat objects with string values from an ECMAScript module,
// as iso-3166 prints them.
func (p *packages) js(source, name string) []map[string]string {
	data := p.member(source, name)
	var list []map[string]string
	for _, o := range object.FindAllSubmatch(data, -1) {
		m := map[string]string{}
		for _, f := range field.FindAllSubmatch(o[1], -1) {
			m[string(f[1])] = strings.ReplaceAll(string(f[2])+string(f[3]), `\'`, `'`)
		}
		if lines := strings.Count(string(o[1]), ":\n") + len(regexp.MustCompile(`(?m)^    \w+: `).FindAll(o[1], -1)); lines != len(m) {
			p.err = cmp.Or(p.err, fmt.Errorf("%s: %s: cannot read %q", source, name, o[1]))
		}
		list = append(list, m)
	}
	if p.err == nil && len(list) == 0 {
		p.err = fmt.Errorf("%s: %s: no entries found", source, name)
	}
	return list
}
