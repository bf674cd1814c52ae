package pipeline

import (
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/net/idna"
)

// A Normalizer brings events into the forms that [Event] names, so that
// Rybbit finds none of them invalid. It repairs before it rejects, and counts
// each repair by kind. The zero Normalizer works.
//
// A Normalizer is read-only in use: one serves all workers.
type Normalizer struct {
	// Namespace is what identifiers that are no UUID are hashed in; it should
	// name the source and the site, so that two sites' visitor 1 stay two.
	Namespace uuid.UUID
	// Hostname is for events without one.
	Hostname string
	// Since and Until bound the events kept: at or after Since, before Until.
	// The zero value is no bound.
	Since, Until Micros
	// Now is the start of the migration: later events are rejected, as Rybbit
	// would skip them. The zero value rejects none. It must not change when a
	// migration is resumed.
	Now Micros
	// Privacy says what is left behind of each event.
	Privacy Privacy
}

// Reasons and kinds that normalization counts under.
const (
	RejectNoTime    = "no time"
	RejectFuture    = "time in the future"
	RejectNoPage    = "a pageview without a page"
	RejectNoName    = "a custom event without a name"
	RejectNoVisitor = "neither a visitor nor a session id"

	OmitBefore   = "before --since"
	OmitAfter    = "after --until"
	OmitNoVitals = "a performance event without measurements"

	RepairUTF8        = "invalid UTF-8 replaced"
	RepairShortened   = " shortened" // after the field's name
	RepairSession     = "session id derived from visitor and day"
	RepairVisitor     = "visitor id taken from the session"
	RepairPath        = "path completed"
	RepairLocation    = "path or query written as browsers send it"
	RepairHostname    = "hostname cleaned"
	RepairReferrer    = "referrer that is no URL dropped"
	RepairScreen      = "impossible screen size dropped"
	RepairLanguage    = "unknown language dropped"
	RepairCountry     = "unknown country dropped"
	RepairRegion      = "unknown region dropped"
	RepairCoordinates = "impossible coordinates dropped"
	RepairProperties  = "properties beyond the limit dropped"
	RepairVitals      = "impossible web vital dropped"
	RepairTarget      = "outbound click without a URL kept as a custom event"
)

// outcome is what normalization decides of an event; all empty is "keep".
type outcome struct{ reject, omit string }

// normalize brings ev into form and cuts it to l. What known holds is not worked out anew.
func (n *Normalizer) normalize(ev *Event, l *Limits, repaired *Tally, known *known) outcome {
	repair := func(kind string) { repaired.add(kind, ev.Origin) }

	switch {
	case ev.Time <= 0: // what tools write for none: year 1, 1601 or 1900
		return outcome{reject: RejectNoTime}
	case n.Now != 0 && ev.Time > n.Now:
		return outcome{reject: RejectFuture}
	case ev.Time < n.Since:
		return outcome{omit: OmitBefore}
	case n.Until != 0 && ev.Time >= n.Until:
		return outcome{omit: OmitAfter}
	case ev.Visitor == "" && ev.Session == "":
		return outcome{reject: RejectNoVisitor}
	}
	n.validText(ev, repair)
	n.page(ev, repair)

	switch ev.Kind {
	case Pageview:
		if ev.Path == "" {
			if ev.Hostname == "" {
				return outcome{reject: RejectNoPage}
			}
			ev.Path = "/"
			repair(RepairPath)
		}
	case Custom:
		if ev.Name == "" {
			return outcome{reject: RejectNoName}
		}
	case Outbound:
		if ev.Target = cleanAddress(ev.Target); !isURL(ev.Target) {
			ev.Kind = Custom
			if ev.Name == "" {
				ev.Name = "outbound"
			}
			repair(RepairTarget)
		}
	case Vitals:
		n.vitals(ev, repair)
		if ev.Vitals == (WebVitals{}) {
			return outcome{omit: OmitNoVitals}
		}
	}
	n.identity(ev, repair, known)
	known.client(ev, repair)
	known.place(ev, repair)
	n.coordinates(ev, repair)
	n.Privacy.apply(ev, repair)
	shorten(ev, l, repair)
	return outcome{}
}

func (n *Normalizer) validText(ev *Event, repair func(string)) {
	if ev.ValidUTF8 && areValid(ev.Properties) && areValid(ev.UserProperties) || ev.isValidText() {
		return
	}
	replace := func(s *string) { *s = strings.ToValidUTF8(*s, "\uFFFD") }
	for s := range ev.texts {
		replace(s)
	}
	for _, ps := range [][]Property{ev.Properties, ev.UserProperties} {
		for i := range ps {
			replace(&ps[i].Key)
			replace(&ps[i].Value)
		}
	}
	repair(RepairUTF8)
}

// isValidText is written out because it is asked of every event.
func (ev *Event) isValidText() bool {
	valid := utf8.ValidString
	return valid(ev.Name) && valid(ev.Visitor) && valid(ev.Session) && valid(ev.Identified) && valid(ev.Hostname) &&
		valid(ev.Path) && valid(ev.Query) && valid(ev.Title) && valid(ev.Referrer) && valid(ev.Browser) &&
		valid(ev.BrowserVersion) && valid(ev.OS) && valid(ev.OSVersion) && valid(ev.Device) && valid(ev.Language) &&
		valid(ev.Country) && valid(ev.Region) && valid(ev.City) && valid(ev.TimeZone) && valid(ev.Target) &&
		valid(ev.TargetText) && valid(ev.Message) && areValid(ev.Properties) && areValid(ev.UserProperties)
}

func areValid(ps []Property) bool {
	for i := range ps {
		if !utf8.ValidString(ps[i].Key) || !utf8.ValidString(ps[i].Value) {
			return false
		}
	}
	return true
}

func (n *Normalizer) page(ev *Event, repair func(string)) {
	if !ev.hasPlainPage() {
		n.cleanPage(ev, repair)
	}
}

func (n *Normalizer) cleanPage(ev *Event, repair func(string)) {
	if host := cleanHost(ev.Hostname); host != ev.Hostname {
		ev.Hostname = host
		repair(RepairHostname)
	}
	if ev.Hostname == "" {
		ev.Hostname = cleanHost(n.Hostname)
	}
	if ev.Query != "" && ev.Query[0] == '?' {
		ev.Query = strings.TrimLeft(ev.Query, "?")
	}
	if path, query, found := strings.Cut(ev.Path, "?"); found {
		ev.Path, query = path, strings.TrimLeft(query, "?")
		if ev.Query == "" {
			ev.Query = query
		} else if query != "" {
			ev.Query = query + "&" + ev.Query
		}
	}
	if ev.Path != "" && ev.Path[0] != '/' {
		ev.Path = "/" + ev.Path
		repair(RepairPath)
	}
	if path, query := EscapePath(ev.Path), EscapeQuery(ev.Query); path != ev.Path || query != ev.Query {
		ev.Path, ev.Query = path, query
		repair(RepairLocation)
	}
	if ev.Referrer != "" {
		ref, ok := cleanReferrer(ev.Referrer)
		ev.Referrer = ref
		if !ok {
			repair(RepairReferrer)
		}
	}
}

// hasPlainPage recognizes the pages and referrers that most events have, of which nothing
// is changed.
func (ev *Event) hasPlainPage() bool {
	const scheme = "https://"
	host, path, query, ref := ev.Hostname, ev.Path, ev.Query, ev.Referrer
	if host == "" || host[len(host)-1] == '.' || path == "" || path[0] != '/' || query != "" && query[0] == '?' ||
		ref != "" && (len(ref) <= len(scheme) || ref[:len(scheme)] != scheme || ref[len(scheme)] == '/') {
		return false
	}
	return !unlikePage.HasAny([]string{host, path, query, ref})
}

// cleanHost returns host in lower case without scheme, user, path, port and
// final dots, in ASCII. An IPv6 address has a port only behind brackets.
func cleanHost(host string) string {
	if isCleanHost(host) {
		return host
	}
	host = strings.ToLower(strings.TrimSpace(host))
	if _, rest, found := strings.Cut(host, "://"); found {
		host = rest
	}
	if i := strings.IndexFunc(host, endsHost); i >= 0 {
		host = host[:i]
	}
	host = strings.TrimRight(host[strings.LastIndexByte(host, '@')+1:], ".:")
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") &&
		(strings.IndexByte(host, ':') == i || strings.HasSuffix(host[:i], "]")) {
		host = host[:i]
	}
	host = strings.TrimRight(host, ".")
	if !isASCII(host) {
		// Browsers tell such a name in punycode.
		if ascii, err := idna.Lookup.ToASCII(host); err == nil {
			return ascii
		}
	}
	return host
}

// isCleanHost recognizes the hosts that most events have.
func isCleanHost(host string) bool {
	return host == "" || host[len(host)-1] != '.' && !unlikeHost.HasAny(host)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func endsHost(r rune) bool {
	return r == '/' || r == '?' || r == '#' || unicode.IsSpace(r) || unicode.IsControl(r)
}

// cleanReferrer completes a referrer that only lacks its scheme, and reports
// whether there is anything a browser could have sent as one.
func cleanReferrer(ref string) (string, bool) {
	if ref = cleanAddress(ref); isURL(ref) {
		return ref, true
	}
	host := ref
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	if strings.Contains(host, ".") && !strings.ContainsAny(host, " \t@:") && host[0] != '.' {
		return "https://" + ref, true
	}
	return "", false
}

// cleanAddress escapes what no address holds as it is, and cuts spaces around it.
func cleanAddress(s string) string {
	if isURL(s) {
		return s
	}
	return escape(strings.Join(strings.Fields(s), "%20"), &controls)
}

// controls are the characters that no address holds as they are.
var controls = func() (set [256]bool) {
	for c := range set {
		set[c] = c < ' ' || c == 0x7F
	}
	return set
}()

// isURL reports whether s is an absolute URL with a host or an app's name.
func isURL(s string) bool {
	const scheme = "https://" // as most begin
	if len(s) > len(scheme) && s[:len(scheme)] == scheme && !unlikeAddress.HasAny(s) {
		return s[len(scheme)] != '/'
	}
	name, rest, found := strings.Cut(s, "://")
	if !found || name == "" || rest == "" || rest[0] == '/' {
		return false
	}
	for i := range len(name) {
		c := name[i] | 0x20
		if (c < 'a' || c > 'z') && (i == 0 || !strings.ContainsRune("+-.0123456789", rune(name[i]))) {
			return false
		}
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7F {
			return false
		}
		if s[i] >= utf8.RuneSelf {
			return strings.IndexFunc(s, unicode.IsSpace) < 0
		}
	}
	return true
}

func (n *Normalizer) identity(ev *Event, repair func(string), known *known) {
	if ev.Session == "" {
		ev.Session = ev.Visitor + "|" + ev.Time.Time().Format(time.DateOnly)
		repair(RepairSession)
	}
	if ev.Visitor == "" {
		ev.Visitor = ev.Session
		repair(RepairVisitor)
	}
	if !areLowerUUIDs(ev.Visitor, ev.Session) {
		ev.Visitor = n.uuid("visitor", ev.Visitor, &known.visitor)
		ev.Session = n.uuid("session", ev.Session, &known.session)
	}
	ev.ValidIDs = true
}

func isScreenSide(pixels int) bool { return pixels >= 1 && pixels <= math.MaxUint16 }

func (n *Normalizer) coordinates(ev *Event, repair func(string)) {
	lat, lon := ev.Latitude, ev.Longitude
	if lat.Known || lon.Known {
		if !(lat.Known && lon.Known && math.Abs(lat.Value) <= 90 && math.Abs(lon.Value) <= 180) {
			ev.Latitude, ev.Longitude = Measure{}, Measure{}
			repair(RepairCoordinates)
		}
	}
}

// named is a kind of repair together with what it is about, so that a user
// sees which names are not known.
func named(kind, name string) string { return kind + ": " + Cut(name, 80) }

func (n *Normalizer) vitals(ev *Event, repair func(string)) {
	v := &ev.Vitals
	for _, m := range []*Measure{&v.LCP, &v.INP, &v.FCP, &v.TTFB, &v.CLS} {
		if m.Known && !(m.Value >= 0 && m.Value <= math.MaxInt32) {
			*m = Measure{}
			repair(RepairVitals)
		}
	}
}

func shorten(ev *Event, l *Limits, repair func(string)) {
	if ev.fits(l) {
		return
	}
	for f := range limited {
		d := &limited[f]
		cutField(d.text(ev), d.limit(l), d, repair)
	}
	if l.URL > 0 {
		shortenURL(ev, l.URL, repair)
	}
	if l.Properties > 0 {
		if kept := fitProperties(ev.Properties, l.Properties); kept < len(ev.Properties) {
			ev.Properties = ev.Properties[:kept]
			repair(RepairProperties)
		}
	}
}

// fits reports whether ev is short enough for l for sure: no text has more units
// than bytes. It is written out because it is asked of every event.
func (ev *Event) fits(l *Limits) bool {
	within := func(s string, limit int) bool { return limit == 0 || len(s) <= limit }
	return within(ev.Name, l.Name) && within(ev.Identified, l.Identified) && within(ev.Hostname, l.Hostname) &&
		within(ev.Path, l.Path) && within(ev.Query, l.Query) && within(ev.Title, l.Title) && within(ev.Referrer, l.Referrer) &&
		within(ev.Browser, l.Browser) && within(ev.BrowserVersion, l.BrowserVersion) &&
		within(ev.OS, l.OS) && within(ev.OSVersion, l.OSVersion) && within(ev.Device, l.Device) &&
		within(ev.Language, l.Language) && within(ev.City, l.City) &&
		within(ev.Target, l.Target) && within(ev.TargetText, l.TargetText) && within(ev.Message, l.Message) &&
		(l.URL == 0 || len("https://?")+len(ev.Hostname)+len(ev.Path)+len(ev.Query) < l.URL) &&
		(l.Properties == 0 || len(ev.Properties) == 0)
}

// limited are the fields that a wire format can bound.
var limited = slices.DeleteFunc(slices.Clone(descriptions[:]), func(d description) bool { return d.limit == nil })

// shortenURL cuts path and query so that the page's URL has at most limit
// units. The query gives way before the path does.
func shortenURL(ev *Event, limit int, repair func(string)) {
	rest := limit - len("https://") - len(ev.Hostname)
	cutField(&ev.Path, rest, &descriptions[FieldPath], repair)
	if rest -= len(ev.Path) + len("?"); rest > 0 {
		cutField(&ev.Query, rest, &descriptions[FieldQuery], repair)
	} else if ev.Query != "" {
		ev.Query = ""
		repair(descriptions[FieldQuery].name + RepairShortened)
	}
}

func cutField(s *string, limit int, d *description, repair func(string)) {
	if limit == 0 || len(*s) <= limit {
		return
	}
	cut := d.cut
	if cut == nil {
		cut = Cut
	}
	if short := cut(*s, limit); len(short) < len(*s) {
		*s = strings.TrimRightFunc(short, unicode.IsSpace)
		repair(d.name + RepairShortened)
	}
}

// cutURL drops the fragment and the query of a URL that is too long before it
// cuts into the rest.
func cutURL(u string, limit int) string {
	if Units(u) <= limit {
		return u
	}
	u, _, _ = strings.Cut(u, "#")
	base, query, found := strings.Cut(u, "?")
	if found && Units(base)+1 < limit {
		if query = cutQuery(query, limit-Units(base)-1); query != "" {
			return base + "?" + query
		}
	}
	return CutEscaped(base, limit)
}

// fitProperties returns how many of ps fit into a JSON object of limit units.
func fitProperties(ps []Property, limit int) int {
	used := len("{}")
	for i, p := range ps {
		used += jsonUnits(p.Key) + len(`"":,`)
		if p.Literal {
			used += Units(p.Value)
		} else {
			used += jsonUnits(p.Value) + len(`""`)
		}
		if used > limit {
			return i
		}
	}
	return len(ps)
}

// jsonUnits returns the length of s inside a JSON string, with the longest
// escape that an encoder could choose for a control character.
func jsonUnits(s string) int {
	n := Units(s)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			n++
		case c < ' ' || c == 0x7F:
			n += len(`\u0000`) - 1
		}
	}
	return n
}

// SiteNamespace returns the namespace for the identifiers of a source's site.
func SiteNamespace(source, site string) uuid.UUID {
	u := url.URL{Scheme: "hopper", Host: source, Path: "/" + site}
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(u.String()))
}
