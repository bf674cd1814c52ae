//go:build !purego

package pipeline

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// areLowerUUIDs reports whether both texts are UUIDs in lower case.
func areLowerUUIDs(a, b string) bool {
	if len(a) != uuidLength || len(b) != uuidLength {
		return false
	}
	if cpu.X86.HasAVX2 {
		return areLowerUUIDsAVX2(unsafe.StringData(a), unsafe.StringData(b))
	}
	return areLowerUUIDsPortable(a, b)
}

// areLowerUUIDsAVX2 is areLowerUUIDsPortable in the processor's own words, for texts of a
// UUID's length.
//
//go:noescape
func areLowerUUIDsAVX2(a, b *byte) bool
