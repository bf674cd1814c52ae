//go:build !unix

package databasetest

// own does nothing: there is no root here.
func (s *server) own() {}
