package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/sync/errgroup"
)

// sendBytes is how large hopper's batches are, too.
const sendBytes = 10 << 20

// send posts lines of JSON as batches of events into an import that it opens and
// closes: the shortest program that brings a rival's output to a server. The next
// batch is read while one is sent. Nothing is tried again, and nothing kept of what
// was sent.
func send(ctx context.Context, site string, lines io.Reader) error {
	var made struct{ Data struct{ ImportID string } }
	if err := post(ctx, site+"/imports", []byte(`{"platform":"umami"}`), &made); err != nil {
		return err
	}
	events := site + "/imports/" + made.Data.ImportID + "/events"
	group, sending := errgroup.WithContext(ctx)
	ready, spare := make(chan []byte), make(chan []byte, 2)
	spare <- nil
	group.Go(func() error {
		for batch := range ready {
			if err := post(sending, events, batch, nil); err != nil {
				return err
			}
			spare <- batch
		}
		return nil
	})
	group.Go(func() error {
		defer close(ready)
		return batches(lines, func(batch []byte) ([]byte, error) {
			select {
			case ready <- batch:
				return <-spare, nil
			case <-sending.Done():
				return nil, sending.Err()
			}
		})
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return post(ctx, events, []byte(`{"events":[],"isLastBatch":true}`), nil)
}

// batches joins lines to batches and gives each away for memory for the next.
func batches(lines io.Reader, full func(batch []byte) (spare []byte, err error)) (err error) {
	const begin, end = `{"events":[`, `],"isLastBatch":false}`
	in := bufio.NewScanner(lines)
	in.Buffer(make([]byte, 1<<20), 1<<20)
	batch := []byte(begin)
	for in.Scan() {
		if len(batch)+len(in.Bytes())+len(end) > sendBytes {
			if batch, err = full(append(batch, end...)); err != nil {
				return err
			}
			batch = append(batch[:0], begin...)
		}
		if len(batch) > len(begin) {
			batch = append(batch, ',')
		}
		batch = append(batch, in.Bytes()...)
	}
	if len(batch) > len(begin) {
		if _, err := full(append(batch, end...)); err != nil {
			return err
		}
	}
	return in.Err()
}

func post(ctx context.Context, url string, body []byte, answer any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	if answer == nil {
		_, err = io.Copy(io.Discard, response.Body)
		return err
	}
	return json.NewDecoder(response.Body).Decode(answer)
}
