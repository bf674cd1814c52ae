package recount

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"hopper/pipeline"
	"hopper/pipeline/places"
	"hopper/pipeline/vocabulary"
)

// A Fact is what one row of an export, or one hit in it, says of an event.
type Fact struct {
	// Origin is the row from which the translation makes the event.
	Origin pipeline.Origin
	// Joined is how many further rows the event takes.
	Joined int64
	// At is when it happened; 0 is a row without a time, or no row at all.
	At   pipeline.Micros
	Kind pipeline.Kind
	// Name is a custom event's.
	Name string
	// Visitor and Session are empty where the row has none. Any text that is
	// different for different ones will do.
	Visitor, Session string
	// Paused says of an event without a Session that its visit follows from when
	// the visitor paused: for [Pause] or longer.
	Paused bool
	// Host is the site's, and Page the path.
	Host, Page string
	// Referrer is an address, a host, or [None]. It and what follows are empty
	// where the row does not say.
	Referrer                     string
	Browser, OS, Device, Country string
	// Region is a code or a name, Source what utm_source says or [None].
	Region, City, Source string
	// Query is the page's, without "?", and Screen as "1920x1080". They, Language,
	// Title and Properties, the names of all with spaces between, are [None] where
	// the row says that there is none.
	Query, Title, Language, Screen, Properties string
	// BrowserVersion and OSVersion stand beside Browser and OS. Link is where an
	// outbound click leads.
	BrowserVersion, OSVersion, Link string
	// Values are all properties; nil is not told, and empty is none. Properties
	// need not be told beside it.
	Values []pipeline.Property
	// Fate says whether the export's own rules make an event of the row.
	Fate Fate
}

// Fate is what the rules of an export make of a row.
type Fate uint8

const (
	// Unsaid leaves it to the translation.
	Unsaid Fate = iota
	// Counts is an event, and LeftOut none: a heartbeat, a repeat, another site's.
	Counts
	LeftOut
)

// Pause is how long a visitor must do nothing for a new visit to begin.
const Pause = 30 * time.Minute

// None is a Fact's referrer where the row says that there is none.
const None = "(none)"

// Facts has the facts of all rows told that a translation of the same inputs and
// options reads. It calls tell once, which returns when all pieces have been told, and
// returns its error.
type Facts func(ctx context.Context, tell func(Pieces) error) error

// Pieces hands on all pieces, in the order of the rows, and returns the first error of
// piece.
type Pieces func(piece func(Piece) error) error

// A Piece tells the facts of some rows that follow each other, once. Any goroutine may
// call it, while others tell other pieces. What yield gets may be used again.
type Piece func(yield func(*Fact)) error

// InPieces makes pieces of facts that are told one after the other. They keep what is
// told, whose texts must stay as they are.
func InPieces(each func(ctx context.Context, yield func(*Fact) error) error) Facts {
	return func(ctx context.Context, tell func(Pieces) error) error {
		return tell(func(piece func(Piece) error) error {
			g := Gatherer{Piece: piece}
			if err := each(ctx, g.Add); err != nil {
				return err
			}
			return g.End()
		})
	}
}

// A Gatherer makes pieces of facts that are told one after the other. It keeps what is
// told, whose texts must stay as they are.
type Gatherer struct {
	Piece func(Piece) error

	told []Fact
}

// gathered is how many facts a [Gatherer] makes a piece of.
const gathered = 512

// Add takes the next fact.
func (g *Gatherer) Add(f *Fact) error {
	if g.told = append(g.told, *f); len(g.told) < gathered {
		return nil
	}
	return g.End()
}

// End hands on what is left.
func (g *Gatherer) End() error {
	facts := g.told
	g.told = nil
	return g.Piece(func(yield func(*Fact)) error {
		for i := range facts {
			yield(&facts[i])
		}
		return nil
	})
}

// hit brings a fact into the form in which it is counted.
func (f *Fact) hit() *Hit {
	h := &Hit{Origin: f.Origin, At: f.At, Kind: f.Kind, Visitor: f.Visitor, Session: f.Session, Rows: f.dimensions()}
	if f.Session == "" && f.Paused {
		h.Session, h.Paused = "visitor "+f.Visitor, true
	}
	switch f.Kind {
	case pipeline.Pageview:
		h.Page = Clip(pageOf(f.Page))
	case pipeline.Custom:
		h.Name = Clip(f.Name)
	}
	return h
}

// dimensions returns what the row says, in the words that Rybbit shows, and
// empty what it does not say.
func (f *Fact) dimensions() []string {
	d := make([]string, eventDimensions)
	if f.Referrer != "" {
		d[referrers] = orNone(hostOf(f.Referrer))
	}
	browser, os, device := f.Browser, f.OS, f.Device
	version, osVersion := f.BrowserVersion, f.OSVersion
	vocabulary.Normalize(&browser, &version, &os, &osVersion, &device)
	if f.Browser != "" {
		d[browsers] = orNone(clientName(family(browser)))
	}
	if f.OS != "" {
		d[systems] = orNone(clientName(os))
	}
	if f.Device != "" {
		d[devices] = orNone(clientName(device))
	}
	code, _ := places.Country(f.Country)
	if f.Country != "" {
		d[countries] = orNone(code)
	}
	if f.Region != "" {
		region, _ := places.Region(code, f.Region)
		d[regions] = orNone(region)
	}
	if f.City != "" {
		d[cities] = cityName(f.City)
	}
	if f.Source != "" {
		d[utmSources] = Clip(f.Source)
	}
	if f.Host != "" && !strings.ContainsFunc(f.Host, notOfName) { // else it is not shown as it is
		d[hosts] = orNone(strings.TrimRight(Clip(strings.ToLower(f.Host)), "."))
	}
	if f.BrowserVersion != "" {
		d[browserVersions] = orNone(version)
	}
	if f.OSVersion != "" {
		d[osVersions] = orNone(osVersion)
	}
	f.describe(d)
	return d
}

// describe adds what describes the page and the client.
func (f *Fact) describe(d []string) {
	if f.Query == None {
		d[queries] = None
	} else if f.Query != "" && len(f.Query)+len(f.Page) < longAddress {
		d[queries] = queryRow(pipeline.EscapeQuery(strings.TrimLeft(f.Query, "?")))
	}
	if f.Title != "" {
		d[titles] = Clip(f.Title)
	}
	if f.Language != "" {
		language, _ := places.Language(f.Language)
		d[languages] = orNone(language)
	}
	if f.Screen != "" {
		d[screens] = f.Screen
	}
	if f.Properties != "" {
		d[properties] = f.Properties
		if f.Properties != None {
			d[properties] = namesRow(strings.Fields(f.Properties))
		}
	}
	if f.Values != nil && !slices.ContainsFunc(f.Values, isLong) {
		d[values] = valuesRow(f.Values)
	}
	if f.Link != "" {
		d[links] = orNone(hostOf(f.Link))
	}
}

// isLong reports whether a wire format may shorten a property.
func isLong(p pipeline.Property) bool { return len(p.Key)+len(p.Value) > keyUnits }

// valuesRow is the row of an event's properties: their names, and a digit for
// their values.
func valuesRow(properties []pipeline.Property) string {
	if len(properties) == 0 {
		return None
	}
	digest := uint32(0)
	var names []string
	for _, p := range properties { // in any order
		one := fnv.New32a()
		for _, text := range [...]string{p.Key, NoValue, p.Value} {
			io.WriteString(one, text)
		}
		digest += one.Sum32()
		names = append(names, p.Key)
	}
	return namesRow(names) + fmt.Sprintf(" (values %x)", digest&0xf)
}

// longAddress is the length, in bytes, from which wire formats may shorten a query.
const longAddress = 600

// queryRow is the row of a query: the names of its parameters, and a digit for
// their values, so that there are few rows for many queries.
func queryRow(query string) string {
	if query == "" {
		return None
	}
	digest := fnv.New32a()
	digest.Write([]byte(query))
	var names []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name)
	}
	return namesRow(names) + fmt.Sprintf(" (values %x)", digest.Sum32()&0xf)
}

// namesRow is the row of several names, in order and each once.
func namesRow(names []string) string {
	slices.Sort(names)
	return orNone(Clip(strings.Join(slices.Compact(names), " ")))
}

// sourceOf returns what utm_source says in a query.
func sourceOf(query string) string {
	if !strings.Contains(query, "utm_source") && !strings.Contains(query, "%") {
		return ""
	}
	values, _ := url.ParseQuery(query)
	return Clip(values.Get("utm_source"))
}

// family is a browser's name without what the system adds to it, which rows do
// not always have.
func family(browser string) string { return strings.TrimPrefix(browser, "Mobile ") }

func orNone(s string) string {
	if s == "" {
		return None
	}
	return s
}

// keyUnits is how much of a page's or another row's text tells it from others,
// in UTF-16 code units. Wire formats shorten what is longer than 255.
const keyUnits = 200

// Clip returns the part of a text that distinguishes rows.
func Clip(s string) string { return pipeline.Cut(strings.ToValidUTF8(s, "\uFFFD"), keyUnits) }

// clientName returns the part of a browser's, system's or device's name that every
// wire format has a place for.
func clientName(s string) string { return pipeline.Cut(strings.ToValidUTF8(s, "\uFFFD"), 20) }

// cityName is clientName for a city.
func cityName(s string) string { return pipeline.Cut(strings.ToValidUTF8(s, "\uFFFD"), 60) }

// pageOf returns a path as a browser tells it.
func pageOf(path string) string {
	path, _, _ = strings.Cut(strings.ToValidUTF8(path, "\uFFFD"), "?")
	if path == "" || path[0] != '/' {
		path = "/" + path
	}
	return pipeline.EscapePath(path)
}

// hostOf returns the host of a referrer; empty where it is none. One without a
// scheme must have a dot within to be told from other words, and one with other
// characters than hosts have counts as none on either side.
func hostOf(referrer string) string {
	if referrer == None {
		return ""
	}
	scheme, host, isURL := strings.Cut(strings.TrimSpace(referrer), "://")
	if !isURL {
		host = strings.TrimSpace(referrer)
	} else if scheme == "" || strings.ContainsFunc(scheme, notOfScheme) {
		return ""
	}
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	if !isURL && (strings.LastIndexByte(host, '.') < 1 || strings.Contains(host, ":")) || strings.ContainsFunc(host, notOfHost) {
		return ""
	}
	return Clip(strings.ToLower(host))
}

func notOfHost(r rune) bool {
	return r < utf8.RuneSelf && r != '.' && r != '-' && r != '_' && r != ':' && r != '[' && r != ']' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
}

func notOfName(r rune) bool { return r >= utf8.RuneSelf || r == ':' || notOfHost(r) }

func notOfScheme(r rune) bool {
	return r != '+' && r != '-' && r != '.' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
}
