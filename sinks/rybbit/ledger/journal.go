package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/gofrs/flock"
)

// A journal is an append-only file of JSON records, one a line, each behind
// its checksum. A record is on the disk when add returns. It is plain text so
// that a user can read what happened, and needs no more than this because one
// process writes it, from start to end, and reads it once. The first record can
// be of any length: it is neither written nor read as a whole.
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
func openJournal(path string, replay func(record io.Reader) error) (_ *journal, err error) {
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
	end, err := readJournal(f, replay)
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
func readJournal(file io.ReaderAt, replay func(record io.Reader) error) (end int64, err error) {
	lines := bufio.NewReaderSize(io.NewSectionReader(file, 0, math.MaxInt64), maxHeld)
	for number := 1; ; number++ {
		record, size, err := nextRecord(lines, file, end)
		if errors.Is(err, io.EOF) {
			return end, nil // without its line break, a record is torn
		}
		if err != nil {
			return 0, err
		}
		if record == nil {
			if _, err := lines.Peek(1); errors.Is(err, io.EOF) {
				return end, nil
			}
			return 0, fmt.Errorf("line %d is damaged: restore the file from a backup, or move it away to import anew "+
				"(after deleting what is in Rybbit)", number)
		}
		if err := replay(record); err != nil {
			return 0, fmt.Errorf("line %d: %w", number, err)
		}
		end += size
	}
}

// maxHeld is the length of lines that are held in memory. Longer ones are read twice:
// nothing of a record is believed before its checksum is known.
const maxHeld = 64 << 10

// nextRecord returns the record of the next of lines, nil where it is damaged, and
// the length of the line, which begins at start of the file. The record is to be read
// before the next one is asked for.
func nextRecord(lines *bufio.Reader, file io.ReaderAt, start int64) (record io.Reader, size int64, err error) {
	piece, err := lines.ReadSlice('\n')
	digits, text, sealed := bytes.Cut(piece, []byte(" "))
	want, wrong := strconv.ParseUint(string(digits), 16, 32)
	size = int64(len(piece))
	sum := crc32.Checksum(bytes.TrimSuffix(text, []byte("\n")), castagnoli)
	record = bytes.NewReader(bytes.TrimSuffix(text, []byte("\n")))
	for errors.Is(err, bufio.ErrBufferFull) {
		piece, err = lines.ReadSlice('\n')
		size += int64(len(piece))
		sum = crc32.Update(sum, castagnoli, bytes.TrimSuffix(piece, []byte("\n")))
		seal := int64(len(digits) + len(" "))
		record = io.NewSectionReader(file, start+seal, size-seal-int64(len("\n")))
	}
	if err != nil {
		return nil, 0, err
	}
	if !sealed || wrong != nil || sum != uint32(want) {
		record = nil
	}
	return record, size, nil
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
	sum := crc32.New(castagnoli)
	if err := encode(sum, record); err != nil {
		return err
	}
	line := bufio.NewWriter(j.file)
	fmt.Fprintf(line, "%08x ", sum.Sum32()) // an error comes again
	if err := encode(line, record); err != nil {
		return err
	}
	line.WriteByte('\n')
	if err := line.Flush(); err != nil {
		return err
	}
	return j.file.Sync()
}

// encode writes a record as JSON, as [json.Marshal] does. One that can be long does so itself.
func encode(w io.Writer, record any) error {
	if long, ok := record.(interface{ encode(io.Writer) error }); ok {
		return long.encode(w)
	}
	text, err := json.Marshal(record)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
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
