package cities

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

func TestName(t *testing.T) {
	for id, want := range map[uint32]string{
		2988507: "Paris", 5128581: "New York City", 2950159: "Berlin", 1850147: "Tokyo", 2643743: "London",
		3448439: "São Paulo", 524901: "Moscow", 2147714: "Sydney", 588409: "Tallinn",
		2960: "‘Ayn Ḩalāqīm", 12145745: "Butalangu", // the first and the last
		0: "", 1: "", 2959: "", 2961: "", 12145746: "", math.MaxUint32: "",
		6255148: "", // Europe is no city
	} {
		if got, ok := Name(id); got != want || ok != (want != "") {
			t.Errorf("Name(%d) = %q, %v, want %q", id, got, ok, want)
		}
	}
}

// A look-up by binary search finds what a plain scan of the table finds, and
// nothing between.
func TestNameFindsAll(t *testing.T) {
	tab := load()
	n := 0
	for m := (mark{}); int(m.next) < len(tab.cities); n++ {
		next, name, ok := tab.step(m)
		if !ok || name == "" || !utf8.ValidString(name) {
			t.Fatalf("after %d: %q, %v", m.id, name, ok)
		}
		if got, _ := Name(next.id); got != name {
			t.Fatalf("Name(%d) = %q, want %q", next.id, got, name)
		}
		if next.id > m.id+1 {
			if got, ok := Name(next.id - 1); ok {
				t.Fatalf("Name(%d) = %q, which the table lacks", next.id-1, got)
			}
		}
		m = next
	}
	if n != 135233 {
		t.Errorf("%d cities, want 135233", n)
	}
}

func TestNameDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Name(2988507) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func pack(t interface{ Fatal(...any) }, data []byte) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(data, nil)
}

// encode writes a table as the generator does.
func encode(names map[uint32]string) []byte {
	var data []byte
	last := uint32(0)
	for _, id := range slices.Sorted(maps.Keys(names)) {
		data = binary.AppendUvarint(data, uint64(id-last))
		data = binary.AppendUvarint(data, uint64(len(names[id])))
		data = append(data, names[id]...)
		last = id
	}
	return data
}

func TestUnpackDamaged(t *testing.T) {
	for name, data := range map[string][]byte{
		"no zstd":             []byte("paris"),
		"cut off":             packed[:len(packed)/2],
		"name cut off":        pack(t, []byte("\x07\x05Eins")),
		"no length":           pack(t, []byte("\x07")),
		"id twice":            pack(t, []byte("\x07\x01a\x00\x01b")),
		"id too large":        pack(t, []byte("\xff\xff\xff\xff\x7f\x01a")),
		"endless number":      pack(t, []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a")),
		"larger than allowed": pack(t, make([]byte, maxTable+1)),
	} {
		if _, err := unpack(data); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}

// Any table finds its own cities, whatever the gaps and the names' lengths.
func TestAnyTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.MapOfN(rapid.Uint32Range(1, math.MaxUint32), rapid.StringN(1, 9, -1), 0, 5*stride).Draw(t, "cities")
		tab, err := unpack(pack(t, encode(names)))
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range names {
			if got, ok := tab.name(id); got != want || !ok {
				t.Errorf("name(%d) = %q, %v, want %q", id, got, ok, want)
			}
		}
		other := rapid.Uint32().Draw(t, "other")
		if got, ok := tab.name(other); got != names[other] || ok != (names[other] != "") {
			t.Errorf("name(%d) = %q, %v, want %q", other, got, ok, names[other])
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte("\x07\x04Eins\xa5\x02\x04Zwei"), uint32(300))
	f.Fuzz(func(t *testing.T, data []byte, id uint32) {
		tab, err := unpack(pack(t, data))
		if err != nil {
			return
		}
		if name, ok := tab.name(id); name != "" && !ok || ok && id == 0 {
			t.Errorf("name(%d) = %q, %v", id, name, ok)
		}
	})
}

func BenchmarkName(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Name(2988507)
	}
}

func BenchmarkUnpack(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := unpack(packed); err != nil {
			b.Fatal(err)
		}
	}
}
