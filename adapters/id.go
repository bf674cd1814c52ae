package adapters

import (
	"crypto/sha256"
	"strings"

	"hopper/pipeline"
)

// ID stands for an identifier in a join or a search for repeats: a UUID's own
// bytes, in whatever case it is written, or a digest of any other text.
type ID [16]byte

// IDOf returns the ID of an identifier.
func IDOf(s string) ID {
	var id ID
	if id.SetUUID(s) {
		return id
	}
	sum := sha256.Sum256([]byte(s))
	return ID(sum[:16])
}

// SetUUID makes id that of a UUID, and reports whether s is one.
func (id *ID) SetUUID(s string) bool { return pipeline.ParseUUID((*[16]byte)(id), s) }

// IsRounded reports whether an identifier is a number that a spreadsheet has
// rounded, such as 1.23457E+18: many identifiers have become the same then.
func IsRounded(id string) bool {
	return len(id) <= len("1.23457890123456E+999") && isRounded(id) // most are longer, and no number
}

func isRounded(id string) bool {
	digits, power, found := strings.Cut(id, "E+")
	if !found {
		digits, power, found = strings.Cut(id, "e+")
	}
	return found && digits != "" && len(digits) < 17 && strings.Trim(digits, "0123456789.,") == "" &&
		power != "" && len(power) <= 3 && strings.Trim(power, "0123456789") == ""
}
