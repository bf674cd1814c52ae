package ga

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"hopper/adapters/input"
	"hopper/adapters/input/rows/record"
	"hopper/adapters/input/spill"
)

const otherAdvice = "in which Google puts what is beyond its limits; fewer dimensions or shorter ranges give more"

// isAPI recognizes answers of the Data API, in the spelling of its JSON and of
// its Python client, and of the Reporting APIs of Universal Analytics.
func isAPI(head []byte) bool {
	for _, mark := range [...]string{`"dimensionHeaders"`, `"dimension_headers"`, `"metricHeaders"`, `"metric_headers"`, `"columnHeader"`, `"columnHeaders"`, `"dataTable"`} {
		if bytes.Contains(head, []byte(mark)) {
			return true
		}
	}
	return false
}

// apiReader reads the tables of answers that stand one after the other.
type apiReader struct {
	in     *input.Input
	store  *rowStore
	number int64
	within span // of the request that stands beside an answer
	tables []*reportTable
	err    error
	// elements are those of the arrays of rows, which hold the number of a bin; nil
	// where they hold their elements.
	elements *spill.Bins
}

// readAPI reads answers of the APIs: one, several one after the other, a list of
// them, or those of a batch.
func readAPI(store *rowStore, in *input.Input, text io.Reader) (_ []*reportTable, err error) {
	rows := &spill.Bins{Dir: store.Dir, Limit: maxRows}
	defer func() { err = errors.Join(err, rows.Close()) }()
	r := &apiReader{in: in, store: store, elements: rows}
	answers := &answerReader{in: in, r: bufio.NewReaderSize(text, 64<<10), rows: rows}
	for { // pages of an answer are often kept one after the other
		value, err := answers.next()
		if errors.Is(err, io.EOF) {
			return r.completed()
		}
		if err != nil {
			return nil, err
		}
		v, err := record.Parse(string(value))
		if err != nil {
			return nil, notAnAnswer(in, err)
		}
		if r.read(v); r.err != nil {
			return nil, r.err
		}
	}
}

func notAnAnswer(in *input.Input, err error) error {
	return input.Errorf(in.Name, "%w; expected the Data API's answer", err)
}

func (r *apiReader) completed() ([]*reportTable, error) {
	for _, t := range r.tables {
		t.complete()
	}
	return r.tables, r.err
}

// member returns the first of the members that there is.
func member(v *record.Value, names ...string) *record.Value {
	for _, name := range names {
		if m := v.Get(name); m != nil {
			return m
		}
	}
	return nil
}

func (r *apiReader) read(v *record.Value) {
	if v.Kind == record.List {
		for i := range v.Kids {
			r.read(&v.Kids[i])
		}
		return
	}
	if inner := member(v, "reports", "pivotReports", "pivot_reports", "response", "result", "body"); inner != nil {
		r.within = requested(v.Get("request"))
		r.read(inner)
		r.within = span{}
		return
	}
	t := r.store.table(r.in)
	t.within = r.within
	var total int64
	switch {
	case v.Get("columnHeader") != nil:
		total = r.reporting4(t, v)
	case v.Get("columnHeaders") != nil || v.Get("dataTable") != nil:
		total = r.reporting3(t, v)
	default:
		total = r.dataAPI(t, v)
	}
	if t.titles == nil {
		return
	}
	if last := len(r.tables) - 1; last >= 0 && r.tables[last].isContinuedBy(t) {
		last := r.tables[last] // pages of one answer
		last.rows.take(&t.rows)
		last.warnings = append(last.warnings, t.warnings...)
		last.answered = max(last.answered, total)
		return
	}
	t.answered = total
	r.tables = append(r.tables, t)
}

// requested returns the range that a request asks for, where it is one.
func requested(request *record.Value) span {
	ranges := member(request, "dateRanges", "date_ranges").Elements()
	if len(ranges) != 1 {
		return span{}
	}
	from, err1 := time.Parse(time.DateOnly, member(&ranges[0], "startDate", "start_date").String())
	to, err2 := time.Parse(time.DateOnly, member(&ranges[0], "endDate", "end_date").String())
	if err1 != nil || err2 != nil || to.Before(from) {
		return span{}
	}
	return span{from, to}
}

// isContinuedBy reports whether other can be a further page of the answer.
func (t *reportTable) isContinuedBy(other *reportTable) bool {
	return slices.Equal(t.titles, other.titles) && slices.Equal(t.metrics, other.metrics) && t.within == other.within && t.zone == other.zone
}

// complete warns of answers that are not whole.
func (t *reportTable) complete() {
	if total := t.answered; total > int64(t.rows.n) {
		t.warn("holds %d of the answer's %d rows; fetch the others too (offset and limit, or pageToken)", t.rows.n, total)
	}
	for _, row := range t.all() {
		if slices.Contains(row.cells, "(other)") {
			t.warn("has rows of (other), %s", otherAdvice)
			break
		}
	}
}

func (t *reportTable) warn(format string, args ...any) {
	warning := t.in.Name + ": " + fmt.Sprintf(format, args...) + "."
	if !slices.Contains(t.warnings, warning) {
		t.warnings = append(t.warnings, warning)
	}
}

func (t *reportTable) head(title string, isMetric bool) {
	t.titles, t.metrics = append(t.titles, title), append(t.metrics, isMetric)
}

// dataAPI reads an answer of GA4's Data API.
func (r *apiReader) dataAPI(t *reportTable, v *record.Value) (total int64) {
	about := v.Get("metadata")
	t.zone = member(about, "timeZone", "time_zone").String()
	for i, names := range [...][2]string{{"dimensionHeaders", "dimension_headers"}, {"metricHeaders", "metric_headers"}} {
		for _, h := range member(v, names[0], names[1]).Elements() {
			t.head(h.Get("name").String(), i == 1)
		}
	}
	row := func(v *record.Value) (cells []string) {
		for _, names := range [...][2]string{{"dimensionValues", "dimension_values"}, {"metricValues", "metric_values"}} {
			for _, value := range member(v, names[0], names[1]).Elements() {
				cells = append(cells, value.Get("value").String())
			}
		}
		return cells
	}
	r.rows(t, v.Get("rows"), row)
	for _, totals := range v.Get("totals").Elements() {
		if cells := row(&totals); len(cells) == len(t.titles) {
			t.totals = cells
		}
	}
	if member(about, "dataLossFromOtherRow", "data_loss_from_other_row").String() == "true" {
		t.warn("has lost rows to (other), %s", otherAdvice)
	}
	if member(about, "subjectToThresholding", "subject_to_thresholding").String() == "true" {
		t.warn("lacks rows of few users, which Google holds back (thresholds); a report without demographics and with device-based identity is whole")
	}
	if len(member(about, "samplingMetadatas", "sampling_metadatas").Elements()) > 0 {
		t.warn("is an estimate from a sample; shorter ranges are not sampled")
	}
	total, _ = strconv.ParseInt(member(v, "rowCount", "row_count").String(), 10, 64)
	return total
}

func (r *apiReader) rows(t *reportTable, list *record.Value, cells func(*record.Value) []string) {
	elements := list.Elements()
	add := func(v *record.Value) error {
		r.number++
		return t.rows.add(reportRow{number: r.number, cells: cells(v)})
	}
	for i := range elements {
		err := error(nil)
		if r.elements == nil {
			err = add(&elements[i])
		} else if bin, broken := strconv.Atoi(elements[i].String()); broken != nil || bin < 0 || bin >= r.elements.Len() {
			err = notAnAnswer(r.in, errors.New("rows are not where they belong"))
		} else {
			err = r.elements.Each(bin, func(text []byte) error {
				v, err := record.Parse(string(text))
				if err != nil {
					return notAnAnswer(r.in, err)
				}
				return add(v)
			})
		}
		if err != nil {
			r.err = errors.Join(r.err, err)
			return
		}
	}
}

// reporting4 reads an answer of the Reporting API version 4 of Universal
// Analytics. Of several ranges of dates the first is read.
func (r *apiReader) reporting4(t *reportTable, v *record.Value) (total int64) {
	header, data := v.Get("columnHeader"), v.Get("data")
	for _, name := range header.Get("dimensions").Elements() {
		t.head(name.String(), false)
	}
	for _, entry := range header.Get("metricHeader").Get("metricHeaderEntries").Elements() {
		t.head(entry.Get("name").String(), true)
	}
	ranges := 0
	values := func(cells []string, list *record.Value) []string {
		all := list.Elements()
		ranges = max(ranges, len(all))
		if len(all) > 0 {
			for _, value := range all[0].Get("values").Elements() {
				cells = append(cells, value.String())
			}
		}
		return cells
	}
	r.rows(t, data.Get("rows"), func(row *record.Value) (cells []string) {
		for _, value := range row.Get("dimensions").Elements() {
			cells = append(cells, value.String())
		}
		return values(cells, row.Get("metrics"))
	})
	if totals := data.Get("totals"); totals != nil && t.rows.n > 0 {
		cells := make([]string, len(header.Get("dimensions").Elements()))
		t.totals = values(cells, &record.Value{Kind: record.List, Kids: totals.Elements()})
	}
	if ranges > 1 {
		t.warn("compares %d ranges of dates; the first is read", ranges)
	}
	if len(data.Get("samplesReadCounts").Elements()) > 0 {
		t.warn("is an estimate from a sample")
	}
	if v.Get("nextPageToken").String() != "" {
		t.warn("goes on in a further page; fetch that too (pageToken)")
	}
	total, _ = strconv.ParseInt(data.Get("rowCount").String(), 10, 64)
	return total
}

// reporting3 reads an answer of the Core Reporting API version 3.
func (r *apiReader) reporting3(t *reportTable, v *record.Value) (total int64) {
	for _, h := range v.Get("columnHeaders").Elements() {
		t.head(h.Get("name").String(), h.Get("columnType").String() == "METRIC")
	}
	if t.titles == nil { // output=dataTable
		for _, h := range v.Get("dataTable").Get("cols").Elements() {
			t.titles = append(t.titles, h.Get("id").String())
		}
		r.rows(t, v.Get("dataTable").Get("rows"), func(row *record.Value) (cells []string) {
			for _, value := range row.Get("c").Elements() {
				cells = append(cells, value.Get("v").String())
			}
			return cells
		})
	}
	r.rows(t, v.Get("rows"), func(row *record.Value) (cells []string) {
		for _, value := range row.Elements() {
			cells = append(cells, value.String())
		}
		return cells
	})
	query := v.Get("query")
	from, err1 := time.Parse(time.DateOnly, query.Get("start-date").String())
	to, err2 := time.Parse(time.DateOnly, query.Get("end-date").String())
	if err1 == nil && err2 == nil {
		t.within = span{from, to}
	}
	if sums := v.Get("totalsForAllResults"); sums != nil {
		t.totals = make([]string, len(t.titles))
		for i, title := range t.titles {
			t.totals[i] = sums.Get(title).String()
		}
	}
	if v.Get("containsSampledData").String() == "true" {
		t.warn("is an estimate from a sample")
	}
	total, _ = strconv.ParseInt(v.Get("totalResults").String(), 10, 64)
	return total
}

// isPythonAnswer recognizes an answer that Python printed as a dictionary.
func isPythonAnswer(head string) bool {
	head = strings.TrimLeft(head, "[ \r\n\t")
	return strings.HasPrefix(head, "{'") && (strings.Contains(head, "'dimension_headers'") || strings.Contains(head, "'dimensionHeaders'") || strings.Contains(head, "'columnHeader'") || strings.Contains(head, "'metric_headers'"))
}

// isProtoText recognizes an answer as the Data API's clients print it.
func isProtoText(head string) bool {
	return strings.HasPrefix(head, "dimension_headers {") || strings.HasPrefix(head, "metric_headers {") || strings.HasPrefix(head, "RunReportResponse")
}

// readProtoText reads an answer in the text format of protocol buffers.
func readProtoText(store *rowStore, in *input.Input, text string) ([]*reportTable, error) {
	var (
		root = &record.Value{Kind: record.Object}
		open = []*record.Value{root}
	)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		name, isMessage := strings.CutSuffix(line, " {")
		key, value, isField := strings.Cut(line, ": ")
		switch {
		case isMessage:
			one := record.Value{Kind: record.Object}
			open = append(open, &one)
			one.Key = name
		case line == "}" && len(open) > 1:
			closed := open[len(open)-1]
			open = open[:len(open)-1]
			addField(open[len(open)-1], closed)
		case isField:
			if s, err := strconv.Unquote(value); err == nil {
				value = s
			}
			addField(open[len(open)-1], &record.Value{Kind: record.Text, Key: key, Text: value})
		}
	}
	if len(open) > 1 {
		return nil, input.Errorf(in.Name, "ends within an answer of the Data API; fetch it again")
	}
	r := &apiReader{in: in, store: store}
	r.read(root)
	return r.completed()
}

// addField adds a field to a message; those that can be repeated are lists.
func addField(to, of *record.Value) {
	if of.Kind != record.Object || of.Key == "metadata" {
		to.Kids = append(to.Kids, *of)
		return
	}
	for i := range to.Kids {
		if to.Kids[i].Key == of.Key {
			to.Kids[i].Kids = append(to.Kids[i].Kids, *of)
			return
		}
	}
	to.Kids = append(to.Kids, record.Value{Kind: record.List, Key: of.Key, Kids: []record.Value{*of}})
}
