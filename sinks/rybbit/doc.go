// Package rybbit uploads events through Rybbit's import API, each exactly once.
//
// # Wire formats
//
// The API takes five formats, one for each product that Rybbit imports from;
// an import's platform fixes the format of all its events. Each is a [Wire], in
// a file of its own. None carries everything: a [Survey] of events says what each
// would keep, derive, shorten and lose of them, and ranks them by that.
//
// # Exactly once
//
// The events endpoint stores twice what is sent twice, and nobody knows what
// became of a request whose answer is lost. Three things make up for it:
//
//   - A ledger in the state directory (package ledger), an append-only file of
//     checksummed records. A batch is recorded, and synced, before it is sent and
//     after its outcome is known, so that at any instant the disk tells which
//     events are in Rybbit and which batch, at most one, is in doubt.
//   - Settlement. An import's counters grow by exactly the events of a batch
//     that is stored and by nothing for one that is not, and one batch is in
//     flight at a time. So the counters settle what became of a batch in doubt,
//     once they have stood still for longer than the server can still be at work
//     on it, and SQL does where the server answers it. After an error of the
//     server's own the counters prove nothing, and without SQL the import is made
//     anew. What fits neither outcome is an [UnsettledError], never a guess. Absence from the list of imports,
//     which has room for ten, proves nothing.
//   - Determinism. The events of a migration come in the same order in every
//     run (see package pipeline), so that a run goes on from an index. It makes
//     the last stored batch anew and compares its digest first: an input that has
//     changed is told and not mixed in.
//
// An [Upload] puts these together. While a batch is in flight, what follows it is
// translated and waits, at most as much as another batch. It splits batches that a server finds too
// large, opens a new import when the server has ended the old one, sends again
// what has gone with an import, and waits for a server that is away. The imports
// end with an empty last batch, which may be repeated: some servers store a
// repeated last batch again.
//
// What a [Client] learns of a server (the size of batches, the platforms, that
// a key has worked) is kept in a [Memory] beside the ledgers. Of a key only a
// digest is kept, to tell it from another; the key itself is never written.
package rybbit
