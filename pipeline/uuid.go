package pipeline

import "encoding/binary"

// IsUUID reports whether s has the form of a UUID, in lower or upper case.
func IsUUID(s string) bool {
	valid, _ := isUUID(s)
	return valid
}

// ParseUUID sets id to the bytes of a UUID in lower or upper case, and reports whether
// s is one.
func ParseUUID(id *[16]byte, s string) bool {
	a, b, c, d, ok := uuidDigits(s)
	if !ok {
		return false
	}
	if valid, _ := areHex(a, b, c, d); !valid {
		return false
	}
	binary.LittleEndian.PutUint64(id[:], uint64(bytesOf(a))|uint64(bytesOf(b))<<32)
	binary.LittleEndian.PutUint64(id[8:], uint64(bytesOf(c))|uint64(bytesOf(d))<<32)
	return true
}

// bytesOf returns the four bytes that eight hexadecimal digits say.
func bytesOf(w uint64) uint32 {
	// A letter's low bits are 1 to 6, and only letters have the bit of 0x40.
	w = w&(ones*0x0F) + w>>6&ones*9
	// Two digits become a byte, then bytes pairs, then pairs four in a row.
	w = (w<<4 | w>>8) & 0x00FF00FF00FF00FF
	w = (w | w>>8) & 0x0000FFFF0000FFFF
	return uint32(w | w>>16)
}

// isUUID reports whether s has the form of a UUID, and of one in lower case.
func isUUID(s string) (valid, lower bool) {
	a, b, c, d, ok := uuidDigits(s)
	if !ok {
		return false, false
	}
	return areHex(a, b, c, d)
}

const uuidLength = len("9b2d7e40-0c1f-5a3b-8e6d-000000000000")

// areLowerUUIDsPortable is areLowerUUIDs for any processor.
func areLowerUUIDsPortable(a, b string) bool {
	_, lower := isUUID(a)
	_, alike := isUUID(b)
	return lower && alike
}

// areHex reports whether all bytes of four words are hexadecimal digits, and whether
// none is in upper case.
func areHex(a, b, c, d uint64) (ok, lower bool) {
	if (a|b|c|d)&highs != 0 { // so that no sum carries
		return false, false
	}
	if small(a)&small(b)&small(c)&small(d) == highs {
		return true, true
	}
	for _, w := range [...]uint64{a, b, c, d} {
		if small(w)|within(w, 'A', 'F') != highs {
			return false, false
		}
	}
	return true, false
}

// uuidDigits returns the 32 characters of s that are digits of a UUID, eight in a
// word, and whether s has its length and dashes.
func uuidDigits(s string) (a, b, c, d uint64, ok bool) {
	if len(s) != uuidLength || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return 0, 0, 0, 0, false
	}
	return word(s, 0), uint64(half(s, 9)) | uint64(half(s, 14))<<32, uint64(half(s, 19)) | uint64(half(s, 24))<<32, word(s, 28), true
}

const ones, highs = 0x0101010101010101, 0x8080808080808080

// word returns the eight bytes of s from i on, the first lowest.
func word(s string, i int) uint64 {
	s = s[i : i+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// half is word for four bytes.
func half(s string, i int) uint32 {
	s = s[i : i+4]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// small has the highest bit of each byte set that is a hexadecimal digit, and not in
// upper case. No byte of w has it set.
func small(w uint64) uint64 { return within(w, '0', '9') | within(w, 'a', 'f') }

// within has the highest bit of each byte set that lies between two characters.
// No byte of w has it set.
func within(w uint64, first, last byte) uint64 {
	return (w + ones*uint64(0x80-first)) &^ (w + ones*uint64(0x7F-last)) & highs
}
