package pipeline

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestUUIDsAreRecognized(t *testing.T) {
	form := regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	rapid.Check(t, func(t *rapid.T) {
		id := []byte("4e2f0e6a-8a0e-4f0b-9c1d-1234567890ab")
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			id[rapid.IntRange(0, len(id)-1).Draw(t, "at")] = rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte("/09:@AFG`afg-"))).Draw(t, "to")
		}
		s := string(id[:len(id)-rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "shorter")])
		valid, lower := isUUID(s)
		if want := form.MatchString(s); valid != want || lower != (want && s == strings.ToLower(s)) {
			t.Fatalf("%q: %v %v", s, valid, lower)
		}
		for _, other := range []string{"9b2d7e40-0c1f-5a3b-8e6d-0000000000ff", "9B2d7e40-0c1f-5a3b-8e6d-0000000000ff", ""} {
			want := lower && other != "" && other[1] == 'b'
			if areLowerUUIDs(s, other) != want || areLowerUUIDs(other, s) != want || areLowerUUIDsPortable(s, other) != want {
				t.Fatalf("%q and %q", s, other)
			}
		}
		var bytes [16]byte
		parsed := ParseUUID(&bytes, s)
		want, _ := uuid.Parse(s)
		if parsed != valid || parsed && bytes != want || !parsed && bytes != [16]byte{} {
			t.Fatalf("%q: %x %v", s, bytes, parsed)
		}
	})
}

func BenchmarkParseUUID(b *testing.B) {
	var id [16]byte
	for b.Loop() {
		if !ParseUUID(&id, "4e2f0e6a-8a0e-4f0b-9c1d-1234567890ab") {
			b.Fatal("no UUID")
		}
	}
}
