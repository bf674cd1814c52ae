package umami

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"hopper/adapters/input"
)

// Umami's API answers in pages: {"data":[…],"count":54,"page":1,"pageSize":20}.
var (
	answerBegins = regexp.MustCompile(`^\s*\{[^{\[]*"data"\s*:\s*\[`)
	answerCount  = regexp.MustCompile(`"count"\s*:\s*"?(\d+)`)
	answerPage   = regexp.MustCompile(`"pageSize"\s*:`)
)

// lacksPages returns an error where the inputs of tables, of which so many rows were
// read, are pages of an answer that has more.
func lacksPages(ctx context.Context, tables []*eventTable, rows []int64) error {
	var have, all int64
	var of *input.Input
	for i, t := range tables {
		in := t.Input
		count, paged, err := answerOf(ctx, in)
		if err != nil {
			return err
		}
		if !paged {
			continue
		}
		have += rows[i]
		all = max(all, count)
		if of == nil || in.Name < of.Name {
			of = in
		}
	}
	if have >= all {
		return nil
	}
	return (&input.Error{Input: of.Name, Err: fmt.Errorf("is a page of an answer with %d events, of which %d are here", all, have)}).
		Advise("fetch the other pages too (page=2 and so on, or a larger pageSize) and give all files")
}

// answerOf returns how many rows the answer that an input is a page of has.
func answerOf(ctx context.Context, in *input.Input) (count int64, paged bool, err error) {
	if in.Format() != input.JSON || !answerBegins.Match(in.TextHead()) {
		return 0, false, nil
	}
	r, err := in.Text(ctx)
	if err != nil {
		return 0, false, err
	}
	defer r.Close()
	const end = 1 << 10 // bytes in which what stands behind the rows has room
	b, kept := make([]byte, 64<<10), []byte(nil)
	for err == nil {
		var n int
		n, err = io.ReadFull(r, b)
		kept = append(kept, b[:n]...)
		kept = kept[max(0, len(kept)-end):]
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, false, err
	}
	around := append(answerBegins.Find(in.TextHead()), kept[bytes.LastIndexByte(kept, ']')+1:]...)
	found := answerCount.FindSubmatch(around)
	if found == nil || !answerPage.Match(around) {
		return 0, false, nil
	}
	if count, err = strconv.ParseInt(string(found[1]), 10, 64); err != nil {
		return 0, false, nil
	}
	return count, true, nil
}
