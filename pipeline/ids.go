package pipeline

import (
	"crypto/sha1"
	"encoding/binary"
	"strings"
	"unsafe"

	"github.com/google/uuid"
)

// uuid returns id itself where it is a UUID, else a name-based one (RFC 9562,
// version 5), which is the same in every run. It is the text of hashed, which the
// next identifier's overwrites.
func (n *Normalizer) uuid(kind, id string, hashed *hashed) string {
	if valid, lower := isUUID(id); lower {
		return id
	} else if valid {
		return strings.ToLower(id)
	}
	if !hashed.is(id) {
		hashed.remember(id)
		hashed.text.write(nameBased(n.Namespace, kind, id))
	}
	return unsafe.String(&hashed.text[0], len(hashed.text))
}

// hashed is the identifier that was hashed last, which mostly comes again at once
// where events are in the order of visits, and its UUID.
type hashed struct {
	id   [64]byte
	size int // of id, 0 where it was too long
	text uuidText
}

func (h *hashed) is(id string) bool { return h.size > 0 && string(h.id[:h.size]) == id }

// remember copies id, whose memory may change.
func (h *hashed) remember(id string) {
	if h.size = 0; len(id) <= len(h.id) {
		h.size = copy(h.id[:], id)
	}
}

// nameBased returns what [uuid.NewSHA1] makes of kind, a colon and id. Mostly it
// takes no memory.
func nameBased(namespace uuid.UUID, kind, id string) uuid.UUID {
	const longest = 256 // that the stack has room for
	name := append(make([]byte, 0, longest), namespace[:]...)
	name = append(append(append(name, kind...), ':'), id...)
	sum := sha1.Sum(name)
	made := uuid.UUID(sum[:len(uuid.UUID{})])
	made[6] = made[6]&0x0F | 0x50 // version 5
	made[8] = made[8]&0x3F | 0x80 // of RFC 9562
	return made
}

// uuidText is a UUID in lower case.
type uuidText [36]byte

func (text *uuidText) write(id uuid.UUID) {
	const dash = '-'
	a, b := digitsOf(binary.LittleEndian.Uint32(id[0:])), digitsOf(binary.LittleEndian.Uint32(id[4:]))
	c, d := digitsOf(binary.LittleEndian.Uint32(id[8:])), digitsOf(binary.LittleEndian.Uint32(id[12:]))
	binary.LittleEndian.PutUint64(text[0:], a)
	text[8] = dash
	binary.LittleEndian.PutUint32(text[9:], uint32(b))
	text[13] = dash
	binary.LittleEndian.PutUint32(text[14:], uint32(b>>32))
	text[18] = dash
	binary.LittleEndian.PutUint32(text[19:], uint32(c))
	text[23] = dash
	binary.LittleEndian.PutUint32(text[24:], uint32(c>>32))
	binary.LittleEndian.PutUint64(text[28:], d)
}

// digitsOf returns the eight hexadecimal digits of four bytes, see [bytesOf].
func digitsOf(n uint32) uint64 {
	// Pairs of bytes move apart, then bytes, then the digits of a byte.
	w := uint64(n)
	w = (w | w<<16) & 0x0000FFFF0000FFFF
	w = (w | w<<8) & 0x00FF00FF00FF00FF
	w = (w>>4 | w<<8) & (ones * 0x0F)
	letters := (w + ones*6) >> 4 & ones // those that are more than 9
	return w + ones*'0' + letters*('a'-'0'-10)
}
