package record

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// numberTexts writes numbers behind one another into memory that they share. The zero
// numberTexts is ready.
type numberTexts struct{ written []byte }

// reset takes the memory of all texts back.
func (t *numberTexts) reset() { t.written = t.written[:0] }

// text returns n as it is written.
func (t *numberTexts) text(n int64) string {
	const longest, most = len("-9223372036854775808"), 64 << 10
	if cap(t.written)-len(t.written) < longest {
		// The old memory stays alive through the texts in it.
		t.written = make([]byte, 0, min(max(2*cap(t.written), 1<<10), most))
	}
	begin := len(t.written)
	t.written = appendInteger(t.written, n)
	return unsafe.String(&t.written[begin], len(t.written)-begin)
}

// appendInteger is [strconv.AppendInt] of base 10, eight digits at a time.
func appendInteger(to []byte, n int64) []byte {
	u := uint64(n)
	if n < 0 {
		to, u = append(to, '-'), -u
	}
	return appendDigits(to, u)
}

const zeros = 0x3030303030303030 // '0' in each byte

func appendDigits(to []byte, u uint64) []byte {
	if u >= 1e8 {
		return binary.LittleEndian.AppendUint64(appendDigits(to, u/1e8), zeros+eightDigits(u%1e8))
	}
	digits := eightDigits(u)
	leading := bits.TrailingZeros64(digits|1<<56) / 8 // zeros, but for the last digit
	to = binary.LittleEndian.AppendUint64(to, (zeros+digits)>>(8*leading))
	return to[:len(to)-leading]
}

// eightDigits returns the decimal digits of u, less than 1e8, a byte each and the
// first lowest.
func eightDigits(u uint64) uint64 {
	// Halves of four digits, then of two, then of one: each step divides all lanes of
	// the word at once, by the multiplication that is exact for so few digits.
	w := u/10000 | u%10000<<32
	high := w * 10486 >> 20 & 0x0000007F0000007F
	w = high | (w-high*100)<<16
	high = w * 103 >> 10 & 0x000F000F000F000F
	return high | (w-high*10)<<8
}

// powers are those of ten.
var powers = func() (all [20]uint64) {
	all[0] = 1
	for i := 1; i < len(all); i++ {
		all[i] = 10 * all[i-1]
	}
	return all
}()

// digits returns how many characters n is written in.
func digits(n int64) int32 {
	u, sign := uint64(n), int32(0)
	if n < 0 {
		u, sign = -u, 1
	}
	u |= 1                            // which is as long
	n10 := bits.Len64(u) * 1233 >> 12 // a bit is some 0.301 digits
	if u < powers[n10] {
		n10--
	}
	return sign + int32(n10) + 1
}
