package hopper_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"

	"hopper"
	"hopper/sinks/rybbit"
	"hopper/sinks/rybbit/sandbox"
)

// An export is imported into a site, here of a local sandbox, and verified.
func Example() {
	ctx := context.Background()
	state, err := os.MkdirTemp("", "hopper")
	check(err)
	defer os.RemoveAll(state)
	server, err := sandbox.Open(ctx, sandbox.Options{Key: "secret", Site: "1"})
	check(err)
	defer server.Close()
	web := httptest.NewServer(server)
	defer web.Close()
	client, err := rybbit.NewClient(web.URL, "1", "secret", rybbit.ClientOptions{})
	check(err)

	export, err := hopper.Open(ctx, []string{"fixtures/umami/cloud-2026.zip"}, hopper.Options{})
	check(err)
	defer export.Close()
	result, err := export.Import(ctx, hopper.Import{Client: client, State: state})
	check(err)
	verification, err := export.Verify(ctx, result.Wire)
	check(err)

	fmt.Println(result.Status, result.Imported, verification.Holds)
	// Output: complete 175 true
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
