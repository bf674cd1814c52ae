package pipeline

import (
	"fmt"
	"time"
)

// Kind says what an event records. The zero Kind is a pageview.
type Kind uint8

const (
	// Pageview is one view of a page.
	Pageview Kind = iota
	// Custom is an event the site named itself; [Event.Name] is its name.
	Custom
	// Outbound is a click on a link that leaves the site; [Event.Target] is where it leads.
	Outbound
	// Vitals is a measurement of a page's load and interaction times; [Event.Vitals] holds it.
	Vitals
	// Error is an exception on a page; [Event.Name] is its type, [Event.Message] its text.
	Error

	kinds = iota
)

var kindNames = [kinds]string{"pageview", "custom_event", "outbound", "performance", "error"}

// String returns the kind's name as Rybbit's own tables spell it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Micros is a point in time in microseconds since 1970-01-01 UTC. The zero
// Micros is an unknown time.
type Micros int64

// MicrosOf converts t. Fractions below a microsecond are cut off.
func MicrosOf(t time.Time) Micros { return Micros(t.UnixMicro()) }

// Time returns m as a time in UTC.
func (m Micros) Time() time.Time { return time.UnixMicro(int64(m)).UTC() }

// Property is one fact that a site attached to an event or a user.
type Property struct {
	Key   string
	Value string
	// Literal marks a Value that is a JSON number, true, false, null, object
	// or array, to be written as it stands. Otherwise Value is plain text.
	Literal bool
}

// WebVitals are the measurements of a page, each known or not.
type WebVitals struct {
	LCP, INP, FCP, TTFB Measure // milliseconds
	CLS                 Measure // a score without unit
}

// Measure is a number that may be unknown; its zero value is.
type Measure struct {
	Value float64
	Known bool
}

// Known returns a Measure of v.
func Known(v float64) Measure { return Measure{Value: v, Known: true} }

// Origin is where in the inputs something was read.
type Origin struct {
	// Input is the name of the file, archive member or stream.
	Input string
	// Row is the record's number in it, counting from 1 and counting a header
	// row, so that it is the line number where no field spans lines. 0 means
	// the input as a whole.
	Row int64
}

func (o Origin) String() string {
	if o.Row == 0 {
		return o.Input
	}
	return fmt.Sprintf("%s: row %d", o.Input, o.Row)
}

// Event is the common event model: every fact that some source exports and
// that some wire format of Rybbit can carry. A field is empty when unknown.
//
// An adapter fills fields as the source spells them; [Normalizer] brings them
// into the forms named here.
type Event struct {
	Time Micros
	Kind Kind
	Name string

	// Visitor is who came (Rybbit's user), Session the visit it belongs to,
	// Identified the name that the site itself gave the visitor. After
	// normalization Visitor and Session are lower-case UUIDs.
	Visitor, Session, Identified string

	Hostname string // lower case, no port
	Path     string // begins with "/"
	Query    string // without "?"
	Title    string
	Referrer string // absolute URL; "android-app://" ones too

	// Names from Rybbit's vocabulary; versions as "126" or "10.15".
	Browser, BrowserVersion string
	OS, OSVersion           string
	Device                  string
	// ClientApart says that browser, system and device were counted apart from
	// each other: none may be named by what the others are.
	ClientApart bool

	ScreenWidth, ScreenHeight int // pixels, 1 to 65535; 0 is unknown

	Language            string // BCP 47, "en-US"
	Country             string // ISO 3166-1 alpha-2
	Region              string // ISO 3166-2, "US-CA"
	City                string
	Latitude, Longitude Measure // degrees
	TimeZone            string  // IANA name

	// Target and TargetText are an outbound click's URL and the link's text.
	Target, TargetText string
	// Message is an error's text.
	Message string

	Properties []Property
	// UserProperties are what the site knows of the identified user.
	UserProperties []Property

	Vitals WebVitals

	// ValidUTF8 says that all texts but properties are known to be valid UTF-8, as
	// the cells of package rows are, and what is cut from them at characters.
	ValidUTF8 bool

	// ValidIDs says that Visitor and Session are lower-case UUIDs. Normalization
	// makes them such, and sets it.
	ValidIDs bool

	// ClientFrom and PlaceFrom are what the facts of ClientMemo and PlaceMemo were read
	// from, see [Emitter.Recall].
	ClientFrom, PlaceFrom Passage
	// ClientRecalled and PlaceRecalled say that these facts are normalized already.
	ClientRecalled, PlaceRecalled bool

	// ClientMemo is of browser, system, device and screen, with versions, PlaceMemo
	// of language, country, region and city. Normalization sets them; nil is none.
	ClientMemo, PlaceMemo *Memo

	Origin Origin
	// Raw is the record as read, for the rejects file. It may be empty.
	Raw string
}
