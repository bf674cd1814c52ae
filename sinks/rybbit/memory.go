package rybbit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Memory is what runs have learned of a server, kept in the state directory so
// that the next one need not spend requests on learning it again.
type Memory struct {
	// MaxBatchBytes is the largest body that was not refused for its size; 0 is unknown.
	MaxBatchBytes int `json:"maxBatchBytes,omitempty"`
	// Learned is when MaxBatchBytes was.
	Learned time.Time `json:"learned,omitzero"`
	// Unknown are the platforms that the server refused, and when it did.
	Unknown map[string]time.Time `json:"unknownPlatforms,omitempty"`
	// Worked is when the server last accepted a key, and Key which one it was:
	// a digest of key and site.
	Worked time.Time `json:"worked,omitzero"`
	Key    string    `json:"key,omitempty"`

	// Slowest is the longest that a batch took, in milliseconds, and PerMB the
	// longest per million bytes of a large one.
	Slowest int64   `json:"slowestMs,omitempty"`
	PerMB   float64 `json:"msPerMB,omitempty"`
	// Paced is when these were last exceeded.
	Paced time.Time `json:"paced,omitzero"`
	// Scarce is when the server last refused a request for being one too many.
	Scarce time.Time `json:"scarce,omitzero"`

	path string
}

// Servers are upgraded and proxies reconfigured: what they refused is tried
// again after this time.
const memoryLasts = 7 * 24 * time.Hour

// OpenMemory reads what is known of a server. A file that is missing or
// damaged is nothing known: all of it can be learned again.
func OpenMemory(dir, server string, now time.Time) (*Memory, error) {
	sum := sha256.Sum256([]byte(server))
	m := &Memory{path: filepath.Join(dir, "servers", hex.EncodeToString(sum[:12])+".json")}
	text, err := os.ReadFile(m.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if json.Unmarshal(text, m) != nil || now.Sub(m.Learned) > memoryLasts {
		m.MaxBatchBytes = 0
	}
	if now.Sub(m.Paced) > memoryLasts {
		m.Slowest, m.PerMB = 0, 0
	}
	for platform, at := range m.Unknown {
		if now.Sub(at) > memoryLasts {
			delete(m.Unknown, platform)
		}
	}
	if m.Unknown == nil {
		m.Unknown = make(map[string]time.Time)
	}
	return m, nil
}

// pace returns how long batches have taken.
func (m *Memory) pace() pace {
	return pace{time.Duration(m.Slowest) * time.Millisecond, m.PerMB / 1e9}
}

// paced notes how long batches have taken, and reports whether that is worth saving.
func (m *Memory) paced(p pace) bool {
	slowest, perMB := p.slowest.Milliseconds(), p.rate*1e9
	news := slowest > m.Slowest*5/4+100 || perMB > m.PerMB*5/4+10
	if news {
		m.Slowest, m.PerMB, m.Paced = max(slowest, m.Slowest), max(perMB, m.PerMB), time.Now().UTC()
	}
	return news
}

// works notes that the server has just accepted a key, and reports whether
// that is worth saving.
func (m *Memory) works(key string) bool {
	news := m.Key != key || time.Since(m.Worked) > time.Hour
	if news {
		m.Key, m.Worked = key, time.Now().UTC()
	}
	return news
}

// worked reports whether the server accepted a key within a day, the longest
// that a budget of requests is known to be counted over.
func (m *Memory) worked(key string) bool {
	return m.Key == key && time.Since(m.Worked) < 24*time.Hour
}

// Save writes what is known now. The file is replaced as a whole.
func (m *Memory) Save() error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	dir := filepath.Dir(m.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".server-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), m.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
