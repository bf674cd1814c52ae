package pipeline

import (
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// A name-based UUID is that of the library, and written as the library writes it.
func TestNameBased(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var namespace uuid.UUID
		copy(namespace[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "namespace"))
		kind, id := rapid.SampledFrom([]string{"visitor", "session"}).Draw(t, "kind"), rapid.StringN(0, -1, 400).Draw(t, "id")
		want := uuid.NewSHA1(namespace, []byte(kind+":"+id))
		if got := nameBased(namespace, kind, id); got != want {
			t.Fatalf("%s %q: %s, want %s", kind, id, got, want)
		}
		var got uuidText
		if got.write(want); string(got[:]) != want.String() {
			t.Fatalf("%x: %s, want %s", want[:], got, want)
		}
	})
}

func BenchmarkNameBased(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		nameBased(uuid.NameSpaceURL, "session", "1234567890.1709596800.1709596800")
	}
}
