package sandbox

import "net/http"

func (s *Server) dashboard(w http.ResponseWriter, r *http.Request) {}
