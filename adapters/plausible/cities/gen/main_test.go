package main

import (
	"encoding/binary"
	"testing"
)

func message(id uint64, name string) []byte {
	m := append([]byte{1 << 3}, binary.AppendUvarint(nil, id<<1)...)
	m = append(m, 2<<3|2, byte(len(name)))
	m = append(m, name...)
	m = append(m, 9<<3, 77) // population: skipped
	return append([]byte{byte(len(m))}, m...)
}

func TestRead(t *testing.T) {
	data := append(message(300, "Zwei"), message(7, "Eins")...)
	cities, err := read(data)
	if err != nil {
		t.Fatal(err)
	}
	table, err := encode(cities)
	if err != nil {
		t.Fatal(err)
	}
	if want := "\x07\x04Eins\xa5\x02\x04Zwei"; string(table) != want {
		t.Errorf("table is %q, want %q", table, want)
	}
	for _, bad := range [][]byte{data[:len(data)-1], message(0, "Null"), message(7, ""), message(7, "\xff"), message(1<<32, "Far")} {
		if cities, err := read(bad); err == nil {
			t.Errorf("read(%q) = %v, want an error", bad, cities)
		}
	}
	if _, err := encode([]city{{7, "a"}, {7, "b"}}); err == nil {
		t.Error("an id that is there twice: want an error")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(message(7, "Eins"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cities, err := read(data)
		if err != nil {
			return
		}
		for _, c := range cities {
			if c.id == 0 || c.name == "" {
				t.Errorf("read %v", c)
			}
		}
	})
}
