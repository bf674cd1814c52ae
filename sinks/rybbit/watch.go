package rybbit

import "time"

// Status is how far an upload has come, as [Options.Watch] sees it.
type Status struct {
	// Stored is how many events of the migration are in Rybbit.
	Stored int64
	// PerSecond is how many events the server has stored in a second lately; 0 is
	// unknown.
	PerSecond float64
	// Batch counts the batch that the server has been sent, Bytes is its size and
	// Since when its sending began. Bytes is 0 while no batch is on its way.
	Batch, Bytes int
	Since        time.Time
}

// throughput is how many events a server stores in a second, of late.
type throughput struct{ events, seconds float64 }

// lately is what is left of what was seen when the next batch is stored.
const lately = 0.7

func (t *throughput) saw(events int, took time.Duration) {
	t.events, t.seconds = t.events*lately+float64(events), t.seconds*lately+took.Seconds()
}

func (t *throughput) perSecond() float64 {
	if t.seconds == 0 {
		return 0
	}
	return t.events / t.seconds
}

// watch tells how far the upload has come, with the size of a batch that is about
// to be sent, or 0.
func (u *Upload) watch(bytes int) {
	if u.opt.Watch == nil {
		return
	}
	sum := u.ledger.Summary()
	s := Status{Stored: sum.Stored, PerSecond: u.served.perSecond(), Batch: sum.Batches + 1, Bytes: bytes}
	if bytes > 0 {
		s.Since = time.Now()
	}
	u.opt.Watch(s)
}
