package rybbit

import (
	"encoding/hex"

	"github.com/zeebo/xxh3"

	"hopper/pipeline"
)

// sum is the digest of a batch, made while its records come. Its zero value is that of
// no batch.
type sum struct {
	first int64 // the batch's first record
	size  int   // how many bytes of its body are in the digest
	xxh3  *xxh3.Hasher128
}

// add adds what has come of a batch since it was last added. Another batch, and one that
// has become shorter, begins anew.
func (s *sum) add(batch pipeline.Batch) {
	if s.xxh3 == nil || s.first != batch.First || s.size > batch.Size {
		*s = sum{first: batch.First, xxh3: xxh3.New128()}
	}
	known := s.size
	for _, part := range batch.Body {
		skip := min(known, len(part))
		s.xxh3.Write(part[skip:])
		known -= skip
	}
	s.size = batch.Size
}

// of returns what the ledger has of a batch.
func (s *sum) of(batch pipeline.Batch) string {
	s.add(batch)
	return hex.EncodeToString(s.xxh3.Sum(nil))
}
