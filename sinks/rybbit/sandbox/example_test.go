package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"hopper/sinks/rybbit/sandbox"
)

// A batch whose answer is lost has been stored all the same, as the database and
// the import's counters tell.
func Example() {
	faults, err := sandbox.ParseFaults("events@1=lost")
	if err != nil {
		log.Fatal(err)
	}
	server, err := sandbox.Open(context.Background(), sandbox.Options{Faults: faults})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	web := httptest.NewServer(server)
	defer web.Close()

	post := func(path, body string) ([]byte, error) {
		req, err := http.NewRequest("POST", web.URL+"/api/sites/1/imports"+path, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header = http.Header{"Authorization": {"Bearer sandbox"}, "Content-Type": {"application/json"}}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		return io.ReadAll(resp.Body)
	}
	answer, err := post("", `{"platform":"posthog"}`)
	if err != nil {
		log.Fatal(err)
	}
	var created struct{ Data struct{ ImportID string } }
	if err := json.Unmarshal(answer, &created); err != nil {
		log.Fatal(err)
	}
	_, err = post("/"+created.Data.ImportID+"/events", `{"events":[{"event":"$pageview","timestamp":"2025-03-04T05:06:07Z",
		"distinct_id":"ada","$session_id":"s1","properties":"{\"$current_url\":\"https://shop.example/teas\"}"}],"isLastBatch":false}`)
	fmt.Println("answered:", err == nil)

	var day string
	var users, pageviews int
	err = server.DB().QueryRow(`SELECT day, users, pageviews FROM daily`).Scan(&day, &users, &pageviews)
	fmt.Println(day, users, pageviews, err)
	// Output:
	// answered: false
	// 2025-03-04 1 1 <nil>
}
