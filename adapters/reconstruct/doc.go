// Package reconstruct turns the sums that an analytics export gives for a day
// into visits whose recount gives the sums back.
//
// # Problem
//
// An export such as Plausible's holds, per day, margins of a table of visits
// that it does not hold: how many visits, bounces, visitors, pageviews and
// seconds there were in all, per source, place, device, browser and system,
// per entry and exit page; the pageviews of each page; the custom events of
// each name and the events that carry each value of a property. Wanted are
// visits, with visitors, pages and times, such that counting them as Rybbit
// does reproduces every margin: a user is a distinct id, a session a distinct
// id, a bounce a session with one pageview, a session's duration the time from
// its first to its last event, its entry and exit page the first and last
// pageview. Many sets of visits do. Any of them is as true as the export, and
// none says how dimensions go together (which browser came from where): that
// is gone, and rows of different tables meet by chance here, but for rows that
// are known not to belong together ([Row.Kin]).
//
// # Guarantees
//
// Where the sums are those of some set of visits in which a visit with one
// pageview is a bounce, these are exact per day:
//
//   - visits, pageviews, bounces, visitors and the sum of durations;
//   - pageviews per page; visits and bounces per entry page and exit page;
//   - visits and bounces per row of each table;
//   - events per custom event, and per value of a property.
//
// Visitors, pageviews and durations per row are searched for, and come within
// 3 %, 5 % and 15 % of the mass over a month of 20 visits a day (a single day
// of few visits can be further off); above 1,000 visits a day they are mostly
// within 1 %. A row can be off by a few visits on a day where no way is found,
// in the attempts made, to form visitors that fit all tables.
//
// Every result, of any day, has these properties: each visit lies in its day
// with all its hits, which are at least a second apart where the day's seconds
// are enough for that; it has a visitor and at most one row a table; the visits of a
// visitor have the same row in tables with PerVisitor; no custom event is lost;
// no event has two values of a property; the same day gives the same
// result. [Plan.Report] says what is in the wrong row.
//
// # Inconsistent days
//
// Exports disagree with themselves: sampled sites have scaled numbers, visits
// go on after midnight, tables are missing or cut off. Then, in this order:
//
//   - The day's visits, pageviews, bounces, visitors and seconds hold, as far
//     as any visits can have them. A day with hits and no visit gets visits;
//     visitors are at most the visits, at least one.
//   - A visit with one pageview and an event is no bounce to Plausible but one
//     to Rybbit. As long as pageviews suffice, others give it a second one;
//     then some visits have no pageview but a custom event, which keeps the
//     bounces; then bounces give way.
//   - Rows that add up to more than the day are scaled by largest remainder.
//     Rows that add up to less stay, and the visits they do not cover have no
//     row: no browser or place is made up.
//   - Pages win over entries and exits. A page that begins more visits than it
//     has pageviews takes from pageviews that no page claims, then gives exits,
//     entries and bounces to pages with pageviews to spare. A pageview that no
//     table claims has no page.
//   - Without visits in a table, its visitors or pageviews say how visits
//     spread over its rows. Totals that are unknown are the largest that some
//     table adds up to; durations that nothing gives are a second from page to
//     page.
//
// # Algorithm
//
// Only bounces and other visits need telling apart to make visits and bounces
// exact: a bounce has one pageview and no length, so that within either class
// any permutation of a table's rows over the visits keeps both. The rest of
// the freedom serves the other measures:
//
//  1. Margins are made consistent by largest remainder (Hamilton's method; see
//     Balinski and Young, Fair Representation).
//  2. Repeat visits. A row with more visits than visitors has as many repeat
//     visits as the difference. Visitors are formed one by one, from the rows
//     that bind most, with a row of each PerVisitor table that still has
//     repeats and visits of both classes to give, drawn at random, and all
//     over again on days of few visits when that comes to a dead end. In
//     tables of visits the same number of repeats is given to visitors by
//     equal rows.
//  3. Matching. Each table's remaining places are ordered by a length drawn
//     around their row's mean, and places of equal rank form a visit: rows of
//     few long visits meet each other, as they must when they are of the same
//     visit, and rows of many visits fill the gaps. Places near each other
//     trade where rows that do not belong together would meet.
//  4. Raking. Pageviews and seconds per visit come from iterative proportional
//     fitting to all tables' sums (Deming and Stephan 1940), rounded with the
//     error carried along the finest table's rows.
//  5. Local search, by the weighted absolute error over all tables. Two visits
//     trade rows of a table where one is longer than the other by what its row has
//     too much: they are found by length, and no other table changes. Pageviews
//     and seconds move from the visits whose rows have most too much to those whose
//     rows lack most, rows of few visits counting for more, since trades mend the
//     others. Trades may lose a little at first, less from round to round (threshold
//     accepting: Dueck and Scheuer 1990), and what is left is tried by chance. Days
//     of few visits are tried several times over and the best is kept.
//  6. Paths. Pages in between go to visits that have not seen them, the most
//     viewed first, except for as many as the page has more pageviews than
//     visits, and to visitors who saw them in another visit as often as it has
//     more visits than visitors.
//  7. Events go to as many visitors as they had, on visits that are no bounce;
//     properties to the kind of event that has as many events as they have
//     values, to others, then to pageviews.
//  8. Visits are spread evenly over the day, each as late as lets it end in it:
//     a day's sums do not give the hour. Their hits are at whole seconds.
//
// A day of many hits is made in parts. Its margins, once they agree, are dealt
// out to parts such that each part has the same share of all totals and its
// margins agree too: what each part keeps the day keeps. Rows of few visits go
// to few parts, because visitors with several visits are within a part.
//
// Every step is linear in visits plus rows but for the sorting; the search has
// a budget in proportion. Memory is that of the parts being made, 10 to 30 MB
// each, and of the day's rows. Randomness is a PCG seeded by the day.
package reconstruct
