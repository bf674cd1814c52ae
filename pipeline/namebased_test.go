package pipeline

import (
	"strings"
	"testing"
	"unsafe"

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

// Identifiers are remembered one at a time: whatever came before, each gets its own UUID,
// even where it lies in the memory of the one before.
func TestHashedIdentifiers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := Normalizer{Namespace: uuid.NameSpaceURL}
		var last hashed
		memory := make([]byte, 0, 100)
		ids := rapid.OneOf(rapid.StringMatching(`[ab]{1,2}`), rapid.StringMatching(`[ab]{63,66}`), rapid.Just("9B2D7E40-0C1F-5A3B-8E6D-000000000000"))
		for range 20 {
			id := ids.Draw(t, "id")
			want := strings.ToLower(id)
			if !IsUUID(id) {
				want = nameBased(n.Namespace, "visitor", id).String()
			}
			memory = append(memory[:0], id...)
			if got := n.uuid("visitor", unsafe.String(&memory[0], len(memory)), &last); got != want {
				t.Fatalf("%q: %s, want %s", id, got, want)
			}
		}
	})
}

func BenchmarkNameBased(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		nameBased(uuid.NameSpaceURL, "session", "1234567890.1709596800.1709596800")
	}
}
