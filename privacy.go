package hopper

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hopper/pipeline"
)

// Privacy says which facts are left behind, whatever the source.
type Privacy = pipeline.Privacy

// visitorKeyBytes is how long a key is that [VisitorKey] makes.
const visitorKeyBytes = 32

// VisitorKey returns the secret that visitors' ids are hashed with, for
// [Privacy]. It is made once and kept in the state directory, readable by its
// owner alone, so that a resumed migration, and next month's, give a visitor
// the same id. Once it is deleted nobody can tell who was who.
func VisitorKey(state string) ([]byte, error) {
	path := filepath.Join(state, "visitor.key")
	for {
		key, err := os.ReadFile(path)
		if err == nil && len(key) != visitorKeyBytes {
			return nil, fmt.Errorf("%s: holds %d bytes, not %d: restore it, or delete it to begin with new ids", path, len(key), visitorKeyBytes)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return key, err
		}
		if err := makeVisitorKey(state, path); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
}

// makeVisitorKey writes a new key. Where two runs make one at once, the first stays.
func makeVisitorKey(state, path string) (err error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(state, "visitor-*.key")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	key := make([]byte, visitorKeyBytes)
	if _, err := rand.Read(key); err != nil {
		return errors.Join(err, f.Close())
	}
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

// identifyPrivacy adds what is left behind to a migration's options. A key is
// named by its digest.
func identifyPrivacy(options map[string]string, p *Privacy) {
	for name, list := range map[string][]string{"drop-query-keys": p.QueryKeys, "drop-properties": p.Properties} {
		if len(list) > 0 {
			names := strings.Split(strings.ToLower(strings.Join(list, ",")), ",")
			slices.Sort(names)
			options[name] = strings.Join(slices.Compact(names), ",")
		}
	}
	if len(p.VisitorKey) > 0 {
		sum := sha256.Sum256(p.VisitorKey)
		options["anonymize-visitors"] = hex.EncodeToString(sum[:8])
	}
}
