// Package hopper moves a site's whole analytics history into Rybbit: exports
// of Umami, Plausible and Google Analytics, each event exactly once.
//
// It is what the command of the same name is made of. Most callers need three
// functions: [Open] finds out what inputs are, [Export.Import] brings their
// events into a site, and [Export.Verify] recounts what is sent as Rybbit's
// dashboard counts and compares it with the export. [Export.Inspect] says what
// is in an export and what each wire format would lose of it.
//
// Nothing here knows flags, a terminal or exit codes: progress is told by a
// callback, what a user should read by a [log/slog.Logger], and the kind of an
// error by [Again] and [OptionError].
//
// # Compatibility
//
// The same inputs and options give the same events and bytes in each release,
// unless its notes say otherwise; a migration that an older release began is
// finished by a newer one. The exported names of this package and of package
// pipeline may still change between releases until version 1.
package hopper
