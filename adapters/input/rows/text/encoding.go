package text

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// encoding is what is known of how a text is encoded.
type encoding uint8

const (
	unsure      encoding = iota // nothing but ASCII so far
	isUTF8                      // perhaps with damage
	windows1252                 // as spreadsheets in western Europe save it
)

// encodingOf tells the encoding of text: where no character is UTF-8 and
// several lines, or letters between letters, are not, it is Windows-1252.
// A single byte that is no UTF-8 is damage.
func encodingOf(text string) encoding {
	i := asciiPrefix(text)
	found, lines, last, between := false, 0, -1, false
	for i < len(text) {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		if r, n := utf8.DecodeRuneInString(text[i:]); r != utf8.RuneError || n > 1 {
			if i+n <= len(text) {
				return isUTF8
			}
		} else if !utf8.FullRuneInString(text[i:]) && i+utf8.UTFMax > len(text) {
			break // text ends amid a character
		}
		found = true
		if last < 0 || strings.IndexByte(text[last:i], '\n') >= 0 {
			lines++
		}
		last = i
		between = between || i > 0 && i+1 < len(text) && isLetter(text[i-1]) && isLetter(text[i+1]) && text[i] >= 0xc0
		i++
	}
	switch {
	case !found:
		return unsure
	case lines > 1 || between:
		return windows1252
	}
	return isUTF8
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func ascii(text string) bool { return asciiPrefix(text) == len(text) }

// asciiPrefix returns how many bytes of text come before the first that is not in ASCII.
func asciiPrefix(text string) int {
	i := 0
	for ; len(text)-i >= 8; i += 8 { // eight bytes at once
		b := text[i : i+8]
		word := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		if word&0x8080808080808080 != 0 {
			break
		}
	}
	for i < len(text) && text[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// decode returns text as UTF-8.
func (e encoding) decode(text string) string {
	if e != windows1252 || ascii(text) {
		return text
	}
	decoded, err := charmap.Windows1252.NewDecoder().String(text)
	if err != nil { // it knows every byte
		return text
	}
	return decoded
}
