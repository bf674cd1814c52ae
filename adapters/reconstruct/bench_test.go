package reconstruct

import "testing"

func BenchmarkSmallDays(b *testing.B) {
	d := dayOf(firstDay, aggregate(simulate(1, 300)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := reconstruct(d); err != nil {
			b.Fatal(err)
		}
	}
}
