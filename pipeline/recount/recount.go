// Package recount checks a translation from outside: it counts as Rybbit's
// dashboard counts, once for all who ask, and compares what it counts.
//
// [Sums] hold amounts by day, table, row and column, for each [Side]: what an
// export says, what is left of it, what is sent, what a server shows. [Count]
// makes them of events and of the rows of an export; who has sums, a day's
// tables or a server's answers, adds them as they are. [Sums.Compare] compares
// two sides. A [Layout] says which tables there are.
//
// The rows of an export come as [Facts], which each adapter has beside its
// translation and which share nothing with that but the reading of files: they
// look cells up by name and understand as little as they can. So an error of
// the translation shows as a difference. Only words are brought into one form
// for both sides (packages vocabulary and places, and [pipeline.EscapePath]):
// that Windows 10 is Windows is no difference. Mobile Chrome counts as Chrome
// here, as what distinguishes them is the system.
//
// # How the dashboard counts
//
// A user is a distinct visitor id and a session a distinct session id. A bounce
// is a session with one pageview. A session lasts from its first to its last
// event. Its entry and exit page are its first and last pageview. Here a
// session belongs to the day on which it begins, and has the referrer, browser,
// system, device and country of its first event that has one.
//
// # What is compared
//
// Rows that the translation rejects or omits are no difference as long as it
// counts them: the rows that became no event must be as many as it says. What
// remains must be sent, measure by measure. What a row does not say is not
// compared, where the translation may derive it, as the system of a GA4 visitor
// whose system is given as "Web".
//
// # Memory
//
// Hits are put aside on disk beyond some megabytes, of about 150 bytes an event and
// side, divided by session into [numBins] bins. These are counted by several goroutines,
// each in memory, or sorted on disk where a bin is too large for that. Users and sums
// follow, alike. What is counted does not depend on how that is divided. In memory are
// four bytes for each row, and each distinct page, referrer, word and event name once
// (some 100 bytes beside its text, of which the first [keyUnits] count), and some 100
// bytes a measure and day.
package recount
