package pipeline

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// A name-based UUID is that of the library, also where it is remembered.
func TestNameBased(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var namespace uuid.UUID
		copy(namespace[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "namespace"))
		kind, id := rapid.SampledFrom([]string{"visitor", "session"}).Draw(t, "kind"), rapid.StringN(0, -1, 400).Draw(t, "id")
		want := uuid.NewSHA1(namespace, []byte(kind+":"+id))
		if got := nameBased(namespace, kind, id); got != want {
			t.Fatalf("%s %q: %s, want %s", kind, id, got, want)
		}
		if got := uuidText(want); string(got[:]) != want.String() {
			t.Fatalf("%x: %s, want %s", want[:], got, want)
		}
	})
}

// Identifiers come in any order, some of them often: each gives the UUID that it gives
// alone, whatever was remembered in its place.
func TestIDsRemembered(t *testing.T) {
	visitors, sessions := newIDs(), newIDs()
	rapid.Check(t, func(t *rapid.T) {
		n := &Normalizer{} // the same in all checks, as for a worker
		id := rapid.OneOf(
			rapid.Map(rapid.IntRange(0, 20_000), func(i int) string { return strings.Repeat("9", i%60) + strconv.Itoa(i) }),
			rapid.SampledFrom([]string{"", "\x00", "2F0F3C5A-51F8-4C6E-9D8E-0D3F6B1A7C11", "2f0f3c5a-51f8-4c6e-9d8e-0d3f6b1a7c11"}),
		)
		for range 100 {
			visitor, session := id.Draw(t, "visitor"), id.Draw(t, "session")
			gotVisitor, gotSession := n.uuid("visitor", visitor, visitors), n.uuid("session", session, sessions)
			if want := n.uuid("visitor", visitor, nil); gotVisitor != want {
				t.Fatalf("visitor %q: %s, want %s", visitor, gotVisitor, want)
			}
			if want := n.uuid("session", session, nil); gotSession != want {
				t.Fatalf("session %q: %s, want %s", session, gotSession, want)
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
