//go:build linux || darwin

package byteset

import (
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// Of a text that ends where memory does, or near it, nothing behind it is read or counts.
func TestEndsOfPages(t *testing.T) {
	size := syscall.Getpagesize()
	memory, err := syscall.Mmap(-1, 0, 3*size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skip(err)
	}
	defer syscall.Munmap(memory)
	if err := syscall.Mprotect(memory[2*size:], syscall.PROT_NONE); err != nil {
		t.Skip(err)
	}
	s, both := sets[0], Together(sets[0], sets[0])
	for _, end := range []int{size - 33, size - 32, size - 31, size - 1, size, size + 1, size + 31, 2*size - 33, 2*size - 32, 2*size - 31, 2*size - 1, 2 * size} {
		for n := range 100 {
			for i := range memory[:2*size] {
				memory[i] = '"'
			}
			copy(memory[end-n:], strings.Repeat("a", n))
			text := unsafe.String(unsafe.SliceData(memory[end-n:]), n)
			if s.HasAny(text) || both.HasAny([]string{text, text}) {
				t.Fatalf("%d bytes up to %d", n, end)
			}
			if got, done := s.Join(nil, []string{text, text}, []string{text, ""}); done != 2 || string(got) != text+text+text {
				t.Fatalf("%d bytes up to %d: %q", n, end, got)
			}
			if n == 0 {
				continue
			}
			memory[end-n] = '"'
			if got, done := s.Join(nil, []string{"b"}, []string{text}); done != 0 || string(got) != "b" || !s.HasAny(text) || !both.HasAny([]string{"", text}) {
				t.Fatalf("%d bytes up to %d with another one first: %q", n, end, got)
			}
			memory[end-n], memory[end-1] = 'a', '"'
			if got, done := s.Join(nil, []string{"b"}, []string{text}); done != 0 || string(got) != "b" || !s.HasAny(text) || !both.HasAny([]string{"", text}) {
				t.Fatalf("%d bytes up to %d with another one last: %q", n, end, got)
			}
		}
	}
}
