package rows_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// BenchmarkCSV reads what BenchmarkTable of package text reads.
func BenchmarkCSV(b *testing.B) {
	var text strings.Builder
	text.WriteString(`"website_id","session_id","visit_id","event_id","hostname","browser","os","url_path","url_query","page_title","event_type","created_at"` + "\n")
	for i := range 20000 {
		fmt.Fprintf(&text, `"7f3c9a52-0000-4000-8000-000000000001","7f3c9a52-0000-4000-8000-%012d","7f3c9a52-1111-4000-8000-%012d","7f3c9a52-2222-4000-8000-%012d","example.com","chrome","Windows 10","/articles/%d","utm_source=news&x=%d","An ""article"" of some length","1","2024-05-01 10:00:00"`+"\n", i, i, i, i%100, i)
	}
	content := []byte(text.String())
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := find(b, content).Open(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for {
			c, err := r.Next(b.Context())
			if err == io.EOF {
				break
			}
			for range c.Rows() {
				n++
			}
		}
		if r.Close(); n != 20000 {
			b.Fatal(n)
		}
	}
}
