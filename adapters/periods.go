package adapters

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PeriodUsers is the option of sources whose exports have sums of days, which
// nothing links.
var PeriodUsers = Option{Name: "period-users", Placeholder: "FILE",
	Help: "share visitors across days, so that a period has as many users as FILE says: CSV rows of a period (2024-03, or 2024-03-01..2024-03-31) and its users"}

// A Period is days from First to Last, both inclusive, such as 2024-01-31, and
// the users who came in all of them together.
type Period struct {
	First, Last string
	Users       int
}

// Has reports whether a day is in the period.
func (p Period) Has(day string) bool { return p.First <= day && day <= p.Last }

// ReadPeriods reads the periods of a file for [PeriodUsers], in order of time. A
// first row that has no number of users is a header.
func ReadPeriods(path string) ([]Period, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", PeriodUsers.Name, err)
	}
	defer f.Close()
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", PeriodUsers.Name, err)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	r := csv.NewReader(bytes.NewReader(text))
	head, _, _ := bytes.Cut(text, []byte("\n"))
	for _, delimiter := range ";\t" {
		if bytes.ContainsRune(head, delimiter) {
			r.Comma = delimiter
		}
	}
	r.FieldsPerRecord, r.TrimLeadingSpace = 2, true
	var periods []Period
	for n := 1; ; n++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("--%s: %s: %w; two columns were expected, a period and its users", PeriodUsers.Name, path, err)
		}
		users, err := strconv.Atoi(strings.TrimSpace(row[1]))
		if err != nil && n == 1 {
			continue
		}
		p, ok := parsePeriod(strings.TrimSpace(row[0]))
		if err != nil || users < 1 || !ok {
			return nil, fmt.Errorf("--%s: %s: row %d: %q with %q users is no period such as 2024-03 or 2024-03-01..2024-03-31 with a number", PeriodUsers.Name, path, n, row[0], row[1])
		}
		p.Users = users
		periods = append(periods, p)
	}
	slices.SortFunc(periods, func(a, b Period) int { return strings.Compare(a.First, b.First) })
	for i := 1; i < len(periods); i++ {
		if periods[i].First <= periods[i-1].Last {
			return nil, fmt.Errorf("--%s: %s: the periods from %s and from %s share days; give periods that do not overlap, such as months", PeriodUsers.Name, path, periods[i-1].First, periods[i].First)
		}
	}
	if len(periods) == 0 {
		return nil, fmt.Errorf("--%s: %s has no period", PeriodUsers.Name, path)
	}
	return periods, nil
}

func parsePeriod(s string) (p Period, ok bool) {
	if month, err := time.Parse("2006-01", s); err == nil {
		return Period{First: month.Format(time.DateOnly), Last: month.AddDate(0, 1, -1).Format(time.DateOnly)}, true
	}
	first, last, found := strings.Cut(s, "..")
	if !found {
		last = first
	}
	_, err := time.Parse(time.DateOnly, first)
	_, err2 := time.Parse(time.DateOnly, last)
	return Period{First: first, Last: last}, err == nil && err2 == nil && first <= last
}
