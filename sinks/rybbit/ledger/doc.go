// Package ledger remembers on the disk what of a migration is in Rybbit.
//
// A [Ledger] is an append-only file of checksummed records, one for each [Step]:
// a batch is recorded, and synced, before it is sent and after its outcome is
// known, so that at any instant the disk tells which events are in Rybbit and
// which batch, at most one, is in doubt. Its [State] is what the steps add up to.
// FORMAT.md describes the file.
//
// [Open] finds the ledger of a [Migration], [Records] reads all of a state
// directory.
package ledger
