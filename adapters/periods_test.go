package adapters_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hopper/adapters"
)

func TestReadPeriods(t *testing.T) {
	read := func(text string) ([]adapters.Period, error) {
		path := filepath.Join(t.TempDir(), "users.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return adapters.ReadPeriods(path)
	}
	want := []adapters.Period{{"2024-02-01", "2024-02-29", 120}, {"2024-03-01", "2024-03-10", 40}, {"2024-03-11", "2024-03-11", 7}}
	for _, text := range []string{
		"2024-02,120\n2024-03-01..2024-03-10,40\n2024-03-11,7\n",
		"\ufeffperiod;users\r\n2024-03-11;7\r\n2024-03-01..2024-03-10;40\r\n2024-02;120\r\n",
	} {
		if got, err := read(text); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	want = []adapters.Period{{"2024-02-01", "2024-02-29", 1200}, {"2024-03-01", "2024-03-31", 940}}
	for _, text := range []string{
		"month,users\nFeb 2024,1200\nMarch 2024,940\n",
		"02/2024,1200\n03/2024,940\n",
		"date,visitors,pageviews\n2024-02-01,1200,5000\n2024-03-01,940,4000\n", // a dashboard's months
		"Visitors;Period\n1.200;2024-02\n940;2024-03\n",
		"2024-02-01 to 2024-02-29,\"1,200\"\n2024-03-01/2024-03-31,940\n",
		"Monat,Nutzer\n2024-02,1200.0\n2024-03,940.0\n",
	} {
		if got, err := read(text); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if got, err := read("2024,9\n"); err != nil || !cmp.Equal([]adapters.Period{{"2024-01-01", "2024-12-31", 9}}, got) {
		t.Errorf("a year: %v, %v", got, err)
	}
	for _, text := range []string{"", "period,users\n", "2024-02,x\n2024-03,y\n", "March,7\n", "2024-03,0\n", "2024-03,7\n2024-03-05..2024-04-02,9\n", "2024-03\n"} {
		if got, err := read(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	if _, err := adapters.ReadPeriods(filepath.Join(t.TempDir(), "none.csv")); err == nil {
		t.Error("a file that is not there")
	}
}
