package adapters

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// PeriodUsers is the option of sources whose exports have sums of days, which
// nothing links.
var PeriodUsers = Option{Name: "period-users", Placeholder: "FILE",
	Help: "share visitors across days, so that a period has as many users as FILE says: CSV rows of a period (2024-03, 2024, or 2024-03-01..2024-03-31) and its users"}

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
	r.FieldsPerRecord, r.TrimLeadingSpace = -1, true
	table, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("--%s: %s: %w; two columns were expected, a period and its users", PeriodUsers.Name, path, err)
	}
	periods, err := periodsOf(table)
	if err != nil {
		return nil, fmt.Errorf("--%s: %s: %w", PeriodUsers.Name, path, err)
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

// periodsOf reads a period from each row, by columns that the header names, or
// of two columns.
func periodsOf(table [][]string) ([]Period, error) {
	period, users, from := 0, 1, 0
	if len(table) > 0 {
		if p, u := headed(table[0], "period", "month", "date", "year"), headed(table[0], "users", "visitors", "unique_visitors", "total_users"); p >= 0 && u >= 0 {
			period, users, from = p, u, 1
		}
	}
	var numbers Numbers
	for _, row := range table[from:] {
		if users < len(row) {
			numbers.Add(row[users])
		}
	}
	var periods []Period
	for i, row := range table[from:] {
		if from == 1 && len(row) != len(table[0]) || from == 0 && len(row) != 2 {
			return nil, fmt.Errorf("row %d: has %d columns; two were expected, a period and its users, or a header that names them", from+i+1, len(row))
		}
		n, isNumber := numbers.Parse(row[users])
		if !isNumber && i == 0 && from == 0 {
			continue // a header in other words
		}
		p, ok := parsePeriod(strings.TrimSpace(row[period]))
		if !isNumber || n < 1 || n > maxUsers || !ok {
			return nil, fmt.Errorf("row %d: %q with %q users is no period such as 2024-03 or 2024-03-01..2024-03-31 with a number", from+i+1, row[period], row[users])
		}
		p.Users = int(n)
		periods = append(periods, p)
	}
	return whole(periods), nil
}

const maxUsers = 1 << 40

// headed returns the column of a header that has one of names, or -1.
func headed(header []string, names ...string) int {
	for _, name := range names {
		for i, cell := range header {
			if strings.ReplaceAll(strings.ToLower(strings.TrimSpace(cell)), " ", "_") == name {
				return i
			}
		}
	}
	return -1
}

// whole makes months of periods that are all the first of one: so a dashboard
// names its months.
func whole(periods []Period) []Period {
	if len(periods) < 2 || slices.ContainsFunc(periods, func(p Period) bool { return p.First != p.Last || !strings.HasSuffix(p.First, "-01") }) {
		return periods
	}
	for i, p := range periods {
		month, _ := time.Parse(time.DateOnly, p.First) // was parsed before
		periods[i].Last = month.AddDate(0, 1, -1).Format(time.DateOnly)
	}
	return periods
}

// periodForms are how a month or a year is written.
var periodForms = []struct {
	layout        string
	years, months int
}{{"2006-01", 0, 1}, {"2006/01", 0, 1}, {"200601", 0, 1}, {"01/2006", 0, 1}, {"01.2006", 0, 1}, {"January 2006", 0, 1}, {"Jan 2006", 0, 1}, {"Jan-06", 0, 1}, {"2006", 1, 0}}

func parsePeriod(s string) (p Period, ok bool) {
	for _, form := range periodForms {
		if first, err := time.Parse(form.layout, s); err == nil {
			return Period{First: first.Format(time.DateOnly), Last: first.AddDate(form.years, form.months, -1).Format(time.DateOnly)}, true
		}
	}
	first, last := s, s
	for _, between := range []string{"..", " to ", " – ", " - ", "/"} {
		if from, to, found := strings.Cut(s, between); found {
			first, last = strings.TrimSpace(from), strings.TrimSpace(to)
			break
		}
	}
	_, err := time.Parse(time.DateOnly, first)
	_, err2 := time.Parse(time.DateOnly, last)
	return Period{First: first, Last: last}, err == nil && err2 == nil && first <= last
}
