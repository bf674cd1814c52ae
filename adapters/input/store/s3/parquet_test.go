package s3_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/parquet-go/parquet-go"

	"hopper/adapters/input"
	table "hopper/adapters/input/rows"
	"hopper/adapters/input/store/s3"
)

// Parquet is read with few requests, and little more than the columns' bytes.
func TestRequestsOfParquet(t *testing.T) {
	type row struct {
		ID   int64
		Name string
	}
	rows := make([]row, 300_000)
	for i := range rows {
		rows[i] = row{int64(i) * 7919 % 1_000_003, fmt.Sprintf("%x", i*2654435761)}
	}
	var file bytes.Buffer
	if err := parquet.Write(&file, rows, parquet.MaxRowsPerRowGroup(100_000)); err != nil {
		t.Fatal(err)
	}
	backend := fake(t)
	if _, err := backend.PutObject("exports", "a.parquet", nil, bytes.NewReader(file.Bytes()), int64(file.Len()), nil); err != nil {
		t.Fatal(err)
	}
	var requests, sent atomic.Int64
	behind, err := url.Parse(os.Getenv("AWS_ENDPOINT_URL_S3"))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	proxy.ModifyResponse = func(r *http.Response) error {
		requests.Add(1)
		r.Body = &counted{r.Body, &sent}
		return nil
	}
	proxy.ErrorLog = quiet
	front := httptest.NewServer(proxy)
	defer front.Close()
	t.Setenv("AWS_ENDPOINT_URL_S3", front.URL)

	ins, err := input.Open(t.Context(), []string{"s3://exports/a.parquet"}, nil, "", &s3.Store{})
	if err != nil {
		t.Fatal(err)
	}
	defer ins.Close()
	tables, err := table.Find(t.Context(), ins.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	ids := 0
	if err := tables[0].Each(t.Context(), func(row *table.Row) error {
		if row.Cells[0] == strconv.FormatInt(rows[ids].ID, 10) && row.Cells[1] == rows[ids].Name {
			ids++
		}
		return row.Err
	}); err != nil || ids != len(rows) {
		t.Fatalf("read %d rows, %v", ids, err)
	}
	t.Logf("%d bytes: %d requests, %d bytes", file.Len(), requests.Load(), sent.Load())
	if requests.Load() > 18 || sent.Load() > 2*int64(file.Len()) {
		t.Errorf("a file of %d bytes took %d requests and %d bytes", file.Len(), requests.Load(), sent.Load())
	}
}

type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}
