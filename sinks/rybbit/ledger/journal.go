package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/gofrs/flock"
)

// A journal is an append-only file of JSON records, one a line, each behind
// its checksum. A record is on the disk when add returns. It is plain text so
// that a user can read what happened, and needs no more than this because one
// process writes it, from start to end, and reads it once.
//
// A lock keeps a second process out; the system drops it when the process
// ends, however it ends.
type journal struct {
	file File
	lock *flock.Flock
	path string
	// failed is the error after which nothing may be appended: what follows
	// half a record could not be read again.
	failed error
}

// File is an [os.File], or one that a test lets fail.
type File interface {
	io.ReadWriteSeeker
	io.Closer
	Stat() (os.FileInfo, error)
	Sync() error
	Truncate(size int64) error
}

var (
	// ErrLocked is returned when another process has the ledger open.
	ErrLocked = errors.New("another hopper is running this migration")
	// ErrWrite is returned when the ledger cannot be written, as when the disk
	// is full. Nothing is sent then, and the same command goes on once there
	// is room.
	ErrWrite = errors.New("the ledger cannot be written, so nothing more is sent")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openJournal opens or creates the journal at path and calls replay with each
// record in it, in order.
func openJournal(path string, replay func(record []byte) error) (_ *journal, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	j := &journal{path: path, lock: flock.New(lockName(path), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))}
	defer func() {
		if err != nil {
			j.close()
		}
	}()
	locked, err := j.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the ledger %s: %w", path, err)
	}
	if !locked {
		return nil, fmt.Errorf("%w (ledger %s)", ErrLocked, path)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	j.file = f
	// Another process may have taken the file away before it was locked.
	mine, err := j.lock.Stat()
	if err != nil {
		return nil, fmt.Errorf("lock the ledger %s: %w", path, err)
	}
	if there, err := j.file.Stat(); err != nil || lockName(path) == path && !os.SameFile(mine, there) {
		return nil, errors.Join(err, fmt.Errorf("%w (ledger %s)", ErrLocked, path))
	}
	end, err := readJournal(j.file, replay)
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	// What a crash left of a record that was being written was never acted on.
	if err := j.file.Truncate(end); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	if _, err := j.file.Seek(end, io.SeekStart); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	dir := filepath.Dir(path)
	return j, errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)))
}

// readJournal calls replay with each record and returns where the last whole
// one ends. Only the last may be torn.
func readJournal(r io.Reader, replay func([]byte) error) (end int64, err error) {
	lines := bufio.NewReader(r)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return end, nil // without its line break, a record is torn
		}
		if err != nil {
			return 0, err
		}
		record, ok := checked(line)
		if !ok {
			if _, err := lines.Peek(1); errors.Is(err, io.EOF) {
				return end, nil
			}
			return 0, fmt.Errorf("line %d is damaged: restore the file from a backup, or move it away to import anew "+
				"(after deleting what is in Rybbit)", number)
		}
		if err := replay(record); err != nil {
			return 0, fmt.Errorf("line %d: %w", number, err)
		}
		end += int64(len(line))
	}
}

func checked(line []byte) (record []byte, ok bool) {
	sum, record, found := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	return record, found && err == nil && crc32.Checksum(record, castagnoli) == uint32(want)
}

// add appends a record and returns when it is on the disk.
func (j *journal) add(record any) error {
	if j.failed == nil {
		if err := j.append(record); err != nil {
			j.failed = fmt.Errorf("%w: %w", ErrWrite, err)
		}
	}
	return j.failed
}

func (j *journal) append(record any) error {
	// What is written into a file without a name is lost with the process.
	if mine, err := j.file.Stat(); err != nil {
		return err
	} else if there, err := os.Stat(j.path); err != nil || !os.SameFile(mine, there) {
		return fmt.Errorf("%s was taken away while it was in use: bring the state directory back", j.path)
	}
	line, err := sealed(record)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(line); err != nil {
		return err
	}
	return j.file.Sync()
}

// sealed returns a record as a line behind its checksum. The first record of hundreds of
// thousands of files is long: it is not copied.
func sealed(record any) ([]byte, error) {
	const sum = "00000000 "
	line := bytes.NewBufferString(sum)
	if err := json.NewEncoder(line).Encode(record); err != nil {
		return nil, err
	}
	text := line.Bytes()[len(sum) : line.Len()-len("\n")]
	copy(line.Bytes(), fmt.Sprintf("%08x", crc32.Checksum(text, castagnoli)))
	return line.Bytes(), nil
}

func (j *journal) close() error { return j.leave(func() error { return nil }) }

// leave closes the journal and calls then while it is still locked, as Windows
// neither renames nor removes a file that is open.
func (j *journal) leave(then func() error) error {
	var err error
	if j.file != nil {
		err = j.file.Close()
	}
	if err == nil {
		err = then()
	}
	err = errors.Join(err, j.lock.Close())
	if name := lockName(j.path); name != j.path {
		// Where another process has it open by now, Windows keeps it.
		_ = os.Remove(name)
	}
	return err
}

// lockName returns the file that is locked while the journal at path is open:
// the journal itself. On Windows it is one beside it, since a lock there keeps
// every other handle from reading, those of the same process too.
func lockName(path string) string {
	if runtime.GOOS == "windows" {
		return path + ".lock"
	}
	return path
}

// syncDir makes a new file's name durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // its directories cannot be synced
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
