//go:build unix

package databasetest

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// own gives the directory to nobody where the test is root's, since servers refuse
// to run as root.
func (s *server) own() {
	if os.Geteuid() != 0 {
		return
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		s.t.Skipf("servers do not run as root, and there is no user nobody: %v", err)
	}
	uid, _ := strconv.Atoi(nobody.Uid) // numbers on every Unix
	gid, _ := strconv.Atoi(nobody.Gid)
	s.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	if err := os.Chown(s.dir, uid, gid); err != nil {
		s.t.Fatal(err)
	}
	for dir := filepath.Dir(s.dir); len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
}
