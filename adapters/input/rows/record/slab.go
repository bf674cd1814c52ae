package record

// A slab is where the nodes of a record live until the next record is read,
// which uses it again.
type slab struct{ free, all []Value }

// reset takes all nodes back.
func (s *slab) reset() { s.free = s.all }

// take returns n nodes, which hold anything.
func (s *slab) take(n int) []Value {
	if len(s.free) < n {
		// The old slab stays alive through the values that point into it.
		s.all = make([]Value, max(2*len(s.all), n, 64))
		s.free = s.all
	}
	taken := s.free[:n:n]
	s.free = s.free[n:]
	return taken
}

// keep copies finished nodes to where they stay.
func (s *slab) keep(kids []Value) []Value {
	if len(kids) == 0 {
		return nil
	}
	kept := s.take(len(kids))
	copy(kept, kids)
	return kept
}
