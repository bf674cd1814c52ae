package hopper

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"hopper/pipeline"
)

// rejects writes rejected records to a file, one JSON object a line. The file
// appears with the first of them. When a migration is resumed, what it
// holds up to there stays.
type rejects struct {
	path string
	file *os.File
	out  *bufio.Writer
	// lines is how many the file holds.
	lines int64
}

// add writes the rejects of a chunk, before which there were before.
func (r *rejects) add(before int64, more []pipeline.Reject) error {
	if r.file == nil || r.lines != before {
		if err := r.open(before, len(more) > 0); err != nil {
			return fmt.Errorf("rejects file: %w", err)
		}
	}
	if len(more) == 0 {
		return nil
	}
	enc := json.NewEncoder(r.out)
	enc.SetEscapeHTML(false)
	for _, reject := range more {
		if err := enc.Encode(reject); err != nil {
			return fmt.Errorf("rejects file %s: %w", r.path, err)
		}
		r.lines++
	}
	// The batches that follow must not be sent before what they leave out is told.
	if err := r.out.Flush(); err != nil {
		return fmt.Errorf("rejects file %s: %w", r.path, err)
	}
	return nil
}

// open cuts the file to its first lines. One that does not exist is made
// only when there is something to write.
func (r *rejects) open(lines int64, make bool) error {
	if err := r.close(); err != nil {
		return err
	}
	f, err := os.OpenFile(r.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if !make {
			return nil
		}
		if err := os.MkdirAll(filepath.Dir(r.path), 0o700); err != nil {
			return err
		}
		f, err = os.OpenFile(r.path, os.O_RDWR|os.O_CREATE, 0o600)
	}
	if err != nil {
		return err
	}
	r.file, r.out, r.lines = f, bufio.NewWriter(f), lines
	in := bufio.NewReader(f)
	var end int64
	for range lines {
		line, err := in.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) {
			end += int64(len(line))
			line, err = in.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) {
			break // somebody has taken it away: what follows is still told
		}
		if err != nil {
			return err
		}
		end += int64(len(line))
	}
	if info, err := f.Stat(); err != nil || info.Mode().IsRegular() {
		if err := errors.Join(err, f.Truncate(end)); err != nil {
			return err
		}
		_, err := f.Seek(end, io.SeekStart)
		return err
	}
	return nil
}

func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}
