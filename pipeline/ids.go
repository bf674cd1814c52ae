package pipeline

import (
	"crypto/sha1"
	"encoding/binary"
	"hash/maphash"
	"strings"
	"unsafe"

	"github.com/google/uuid"
)

// ids remember what UUIDs were made of the identifiers of one kind, since many events
// have the same. They are for one worker; nil remembers nothing.
type ids struct {
	seed maphash.Seed
	made [1 << 12]madeID // by a hash of the identifier, the latest one
	text [36]byte        // of the last UUID
}

// madeID is a UUID and what it was made of. It fills a line of a processor's cache.
type madeID struct {
	id     uuid.UUID
	length uint8 // 0 where there is none
	of     [47]byte
}

func newIDs() *ids { return &ids{seed: maphash.MakeSeed()} }

// uuid returns id itself where it is a UUID, else a name-based one (RFC 9562,
// version 5), which is the same in every run. What it returns is valid until known
// is asked for the next one of that kind.
func (n *Normalizer) uuid(kind, id string, known *ids) string {
	if valid, lower := isUUID(id); lower {
		return id
	} else if valid {
		return strings.ToLower(id)
	}
	if known == nil {
		text := uuidText(nameBased(n.Namespace, kind, id))
		return string(text[:])
	}
	known.text = uuidText(known.nameBased(n.Namespace, kind, id))
	return unsafe.String(&known.text[0], len(known.text))
}

// nameBased is [nameBased] of the namespace and the kind that k is always asked with.
func (k *ids) nameBased(namespace uuid.UUID, kind, id string) uuid.UUID {
	at := &k.made[maphash.String(k.seed, id)%uint64(len(k.made))]
	if id == "" || len(id) > len(at.of) {
		return nameBased(namespace, kind, id)
	}
	if string(at.of[:at.length]) != id {
		at.length = uint8(copy(at.of[:], id))
		at.id = nameBased(namespace, kind, id)
	}
	return at.id
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

// uuidText returns the UUID in lower case.
func uuidText(id uuid.UUID) (text [36]byte) {
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
	return text
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
