// Package cities names cities by their GeoNames ids, the form in which Plausible
// exports them. It knows the cities of over 1,000 inhabitants, 135,233 of them,
// by GeoNames' main name ("Berlin", "New York City", "São Paulo").
//
// The table is embedded and unpacked on first use, in some tens of milliseconds,
// into 1.7 MB that stay. GeoNames' data are under CC BY 4.0: see NOTICE.md.
package cities

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"math"
	"sort"
	"sync"

	"github.com/klauspost/compress/zstd"
)

//go:embed cities.zst
var packed []byte

// stride is how many cities lie between two entries of the index: a look-up
// reads half as many on average.
const stride = 32

// table holds the cities in order of ids, each as the generator writes it: the
// id's difference from the one before, the name's length, both as varints, the
// name.
type table struct {
	cities string
	index  []mark // of every stride'th city
}

// mark is a place in the table: where the city after the one of this id begins.
type mark struct{ id, next uint32 }

var load = sync.OnceValue(func() *table {
	t, err := unpack(packed)
	if err != nil {
		panic("cities: embedded table is damaged: " + err.Error())
	}
	return t
})

// maxTable limits what a table may unpack to.
const maxTable = 16 << 20

func unpack(packed []byte) (*table, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxTable))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	data, err := z.DecodeAll(packed, nil)
	if err != nil {
		return nil, err
	}
	t := &table{cities: string(data)}
	last := mark{}
	for n := 0; int(last.next) < len(t.cities); n++ {
		if n%stride == 0 {
			t.index = append(t.index, last)
		}
		var ok bool
		if last, _, ok = t.step(last); !ok {
			return nil, errors.New("it does not hold ids and names")
		}
	}
	return t, nil
}

// step reads the city at a mark and returns the next mark, whose id is the
// city's, and its name.
func (t *table) step(m mark) (next mark, name string, ok bool) {
	delta, at, ok := t.uvarint(int(m.next))
	if !ok || delta == 0 || delta > math.MaxUint32-uint64(m.id) {
		return m, "", false
	}
	size, at, ok := t.uvarint(at)
	if !ok || size > uint64(len(t.cities)-at) {
		return m, "", false
	}
	end := at + int(size)
	return mark{m.id + uint32(delta), uint32(end)}, t.cities[at:end], true
}

// uvarint is [binary.Uvarint] on the table's string.
func (t *table) uvarint(at int) (v uint64, next int, ok bool) {
	for shift := 0; at < len(t.cities) && shift < 7*binary.MaxVarintLen32; shift += 7 {
		b := t.cities[at]
		at++
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, at, true
		}
	}
	return 0, at, false
}

func (t *table) name(id uint32) (string, bool) {
	i := sort.Search(len(t.index), func(i int) bool { return t.index[i].id >= id }) - 1
	if i < 0 {
		return "", false
	}
	for m := t.index[i]; m.id < id && int(m.next) < len(t.cities); {
		var name string
		if m, name, _ = t.step(m); m.id == id {
			return name, true
		}
	}
	return "", false
}

// Name returns the name of the city with a GeoNames id, and whether it is known.
// The id 0, with which Plausible says that it does not know the city, is not. It
// may be called concurrently, takes below a microsecond and does not allocate.
func Name(id uint32) (string, bool) { return load().name(id) }
