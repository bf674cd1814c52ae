package main

import (
	"fmt"
	"math"
	"strconv"

	"github.com/dustin/go-humanize"
)

// size is a number of bytes as a flag: "300KB", "45MiB", "1000000".
type size int

// String spells whole numbers of MiB and KiB as people write them.
func (s *size) String() string {
	for _, unit := range []struct {
		bytes size
		name  string
	}{{1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if *s >= unit.bytes && *s%unit.bytes == 0 {
			return strconv.Itoa(int(*s/unit.bytes)) + unit.name
		}
	}
	return strconv.Itoa(int(*s))
}

func (s *size) Type() string { return "SIZE" }

func (s *size) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n > math.MaxInt32 {
		return fmt.Errorf("a size such as 300KB, 45MiB or 1000000 is needed")
	}
	*s = size(n)
	return nil
}
