package hopper_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hopper"
)

// What a presigned address is signed with appears nowhere.
func TestPresignedAddress(t *testing.T) {
	server := httptest.NewServer(http.FileServer(http.Dir("fixtures/plausible")))
	defer server.Close()
	signed := func(file string) string {
		return strings.Replace(server.URL, "://", "://user:SECRET@", 1) + "/" + file + "?X-Amz-Signature=SECRET"
	}
	export, err := hopper.Open(t.Context(), []string{signed("export.zip")}, hopper.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer export.Close()
	if names := export.Inputs(); len(names) < 10 || !strings.HasPrefix(names[0], server.URL+"/export.zip/") {
		t.Errorf("inputs are %q", names)
	}
	for _, file := range []string{"missing.csv", "README.md"} {
		if _, err := hopper.Open(t.Context(), []string{signed(file)}, hopper.Options{}); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: got %v", file, err)
		}
	}
}
