package spill

import (
	"context"
	"errors"
	"io"
)

// Each ends adding and calls yield with each record in order; what it gets is
// valid until it returns. Each returns the first error of yield.
func (s *Sorter) Each(ctx context.Context, yield func(key, value []byte) error) error {
	sorted, err := s.Sort()
	if err != nil {
		return err
	}
	for {
		key, value, err := sorted.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := yield(key, value); err != nil {
			return err
		}
	}
}
