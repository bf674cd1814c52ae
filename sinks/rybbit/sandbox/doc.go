// Package sandbox is a local server that behaves as Rybbit's import API does: to
// try hopper on, to see what Rybbit would make of an export, and to test clients
// against, faults included.
//
// [Open] returns a [Server], a [net/http.Handler] that serves the four calls
// below /api/sites/:site/imports: create, events, list and delete. The list shows
// the ten newest imports. The server knows the
// five wire formats umami, simple_analytics, plausible, matomo and posthog,
// checks every field by their rules, drops and counts invalid and skipped events,
// and stores the rest. A batch, its counters and its completion are stored in one
// transaction, so that the list always agrees with the events. The server reads a
// body to its end before it stores anything of it. With [Options] it plays an old release, Rybbit Cloud, or a server with
// few platforms, small bodies or a small budget of requests.
//
// It answers questions about what it holds, too: the statistics below
// /api/sites/:site (overview, overview/time-series, metric, page-titles, events and
// its parts, sessions, users, performance/overview, errors/names), SELECTs from
// scoped_events at /api/organizations/:org/analytics/query, in as much of
// ClickHouse's dialect as a client of this API uses, GET /api/sites/:site and GET
// /api/version. They count as the real dashboard does: times in whole seconds,
// entry and exit page of a tie both that of the event stored first, users in every
// bucket that they come to, texts that read as numbers shown as numbers.
// A page at / shows the site as a dashboard does, to anybody who can reach it.
// [Server.Track] adds events of the site's own tracker. What channel a referrer
// belongs to is a guess at the real rules, which are not described.
//
// It shares no code with hopper's client. Both are written from the description of
// the API, so that each finds the other's mistakes. Where the description is
// silent the sandbox takes the stricter reading: isLastBatch must be sent, a field's name is case-sensitive, a
// body that is not said to be application/json answers 415, an import that has
// lost its lease can neither be closed nor deleted, and a pageview keeps none of
// PostHog's properties. Addresses are read as the web's URL standard says: a path
// in an address comes out percent-encoded. Matomo's searches become pageviews and
// its downloads outbound clicks.
//
// # The database
//
// A SQLite file, which stays readable (also while the server runs) with any
// SQLite tool. Times are UTC text, "2006-01-02 15:04:05.000". Text that is
// unknown is empty, a number that is unknown is NULL.
//
// Table imports: import_id, site, platform, imported_events, skipped_events,
// invalid_events, batches (accepted ones, empty ones too), started_at,
// last_batch_at, completed_at (NULL while open), lease_lost (1 when another
// import has taken over).
//
// Table events, in the words in which Rybbit would show them:
//
//	id                                         in the order of arrival
//	import_id                                  empty for what the site's tracker sent
//	site
//	timestamp
//	kind                                       pageview, custom_event, outbound, performance or error
//	session_id, user_id, identified_user_id
//	hostname, pathname, querystring            the query with its "?"
//	page_title, referrer                       the site's own pages are no referrer
//	browser, browser_version                   Chrome, Mobile Safari…; the major version
//	operating_system, operating_system_version macOS, Windows…
//	device_type                                Desktop, Mobile…
//	screen_width, screen_height
//	language, country, region, city            AT, AT-9
//	lat, lon, timezone
//	event_name                                 of a custom event; an error's type
//	props                                      a JSON object, {} for none
//	outbound_url, outbound_text                of an outbound click
//	lcp, cls, inp, fcp, ttfb                   of a performance event
//
// Three views count as Rybbit's dashboard does: sessions (a row per session id:
// user_id, start, end, duration in whole seconds, events, pageviews, bounce, the
// entry_page and exit_page of its first and last event of any kind, both by whole
// seconds and of equals the one stored first, and from its first event hostname, referrer, browser,
// operating_system, device_type, language, country, region, city), daily (a row
// per day: users, sessions, pageviews, events, and the bounces among the sessions
// that began on it), and pages (a row per hostname and pathname: pageviews,
// sessions, users). For example:
//
//	sqlite3 sandbox.db 'SELECT day, users, sessions, pageviews FROM daily'
//
// # Faults
//
// A server can be told to misbehave, by [Fault] values or by the text that
// [ParseFaults] reads: replies that are lost, connections cut before or within a
// body, refusals of any status before or after the work is done, a proxy's pages,
// delays during which the client gives up but the server goes on, imports that
// are completed, expired, aborted or deleted by somebody else, lists that
// are empty or lag behind, and a server that restarts or whose heap is too small
// for a batch. They happen on real sockets, as resets, and behind [Server.Serve]
// as refused connections. [Options.Pace] lets a batch take as long as on a real
// server.
package sandbox
