package main

import (
	"fmt"
	"math"
	"strconv"

	"github.com/dustin/go-humanize"
)

// size is a number of bytes as a flag: "300KB", "45MiB", "1000000".
type size int

func (s *size) String() string { return strconv.Itoa(int(*s)) }
func (s *size) Type() string   { return "SIZE" }

func (s *size) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n > math.MaxInt32 {
		return fmt.Errorf("a size such as 300KB, 45MiB or 1000000 is needed")
	}
	*s = size(n)
	return nil
}
