package reconstruct

import (
	"encoding/binary"
	"flag"
	"fmt"
	"hash/fnv"
	"strings"
	"testing"

	"hopper/adapters/adaptertest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestSameDaysGiveTheSameVisits holds what days give to what earlier builds
// made of them: a migration that one of them began must go on.
func TestSameDaysGiveTheSameVisits(t *testing.T) {
	var got strings.Builder
	for _, visits := range []int{1, 2, 7, 40, 90, 300, 700, 2_500, 12_000, 30_000} {
		for seed := range uint64(max(2, min(40, 4_000/visits))) {
			day := dayOf(firstDay.AddDate(0, 0, int(seed)), aggregate(simulate(seed, visits)))
			spoil(day, seed)
			res, err := reconstruct(day)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "%d visits, seed %d: %x\n", visits, seed, digest(res))
		}
	}
	adaptertest.Golden(t, "testdata/visits.golden", got.String(), *update)
}

// spoil takes from a day what exports lack.
func spoil(d *Day, seed uint64) {
	d.SettleRepeats = seed%3 == 1
	switch seed % 5 {
	case 1:
		d.Tables[seed/5%5].Has &^= Duration
	case 2:
		d.Tables[seed/5%5].Has &^= Visitors | Pageviews
	case 3:
		d.Tables = d.Tables[:seed/5%5]
		d.Exits = Table{}
	case 4:
		d.Has &^= Visitors
		d.Entries.Has &^= Duration
		for i := range d.Tables[1].Rows {
			d.Tables[1].Rows[i].Visits += i % 3
		}
	}
}

func digest(res *Result) uint64 {
	h := fnv.New64a()
	number := func(n int) { binary.Write(h, binary.LittleEndian, int64(n)) }
	for _, v := range res.Visits {
		number(v.Visitor)
		binary.Write(h, binary.LittleEndian, v.Rows)
		for _, hit := range v.Hits {
			number(int(hit.At))
			number(int(hit.Page)<<32 | int(uint32(hit.Event)))
			binary.Write(h, binary.LittleEndian, hit.Properties)
		}
	}
	return h.Sum64()
}
