package ga

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"hopper/adapters/input"
	"hopper/adapters/input/rows/record"
)

// maxReport is the longest report that is read, in bytes. Reports are held in
// memory: Google cuts them off at some 100,000 rows.
const maxReport = 256 << 20

// A reportTable is one table of a report.
type reportTable struct {
	in      *input.Input
	columns []string // as canonical calls them; "" is of no use
	titles  []string // as the report calls them
	rows    []reportRow
	start   time.Time // of the report's range, where it says; zero otherwise
	end     time.Time
	zone    string // the property's IANA time zone, where it says
}

// A reportRow is a row with its number in the input.
type reportRow struct {
	number int64
	cells  []string
}

// column returns the index of the column with that canonical name, or -1.
func (t *reportTable) column(name string) int { return slices.Index(t.columns, name) }

// dimensions and metrics are what the columns of reports are called here, by
// the names that the Data API, GA4's interface, and Universal Analytics' give
// them, and the interface in some of its other languages. All are in lower
// case without spaces, underscores and hyphens.
var (
	dimensions = names(map[string]string{
		"date":           "date day datum fecha data tag jour giorno dia",
		"nthday":         "nthday nday",
		"index":          "dayindex",
		"page":           "pagepath pagepathplusquerystring pagepathandscreenclass unifiedpagepathscreen page pagepathquerystringandscreenclass pagepathquerystring pagepath+querystring seitenpfadundbildschirmklasse seite chemindelapageetclassedelécran rutadepáginayclasedepantalla",
		"location":       "pagelocation fullpageurl",
		"title":          "pagetitle pagetitleandscreenclass pagetitleandscreenname unifiedscreenname unifiedscreenclass seitentitelundbildschirmklasse",
		"landing":        "landingpage landingpageplusquerystring landingpage+querystring landingpagepath entrancepage zielseite pagededestination páginadedestino",
		"exit":           "exitpage exitpagepath ausstiegsseite",
		"host":           "hostname",
		"country":        "country land pays país paese",
		"region":         "region bundesland région región regione",
		"city":           "city town/city stadt ville ciudad città cidade",
		"device":         "devicecategory gerätekategorie catégoriedappareil categoríadedispositivo",
		"browser":        "browser navigateur navegador",
		"browserversion": "browserversion",
		"os":             "operatingsystem betriebssystem systèmedexploitation sistemaoperativo",
		"osversion":      "operatingsystemversion osversion",
		"osfull":         "operatingsystemwithversion oswithversion",
		"language":       "languagecode",
		"languagename":   "language sprache langue idioma",
		"resolution":     "screenresolution bildschirmauflösung",
		"source":         "sessionsource source sessionmanualsource quelle",
		"medium":         "sessionmedium medium sessionmanualmedium",
		"sourcemedium":   "sessionsourcemedium sourcemedium source/medium sessionsource/medium sitzungquelle/medium",
		"campaign":       "sessioncampaignname sessioncampaign campaign campaignname sessionmanualcampaignname kampagne campagne campaña",
		"term":           "sessionmanualterm keyword sessiongoogleadskeyword",
		"content":        "sessionmanualadcontent adcontent",
		"event":          "eventname ereignisname nomdelévénement nombredelevento eventaction",
	})
	metrics = names(map[string]string{
		"views":        "screenpageviews views pageviews aufrufe seitenaufrufe vues vistas pagesvues visualizações visualizzazioni",
		"sessions":     "sessions sitzungen sesiones sessões sessioni",
		"users":        "totalusers users nutzer nutzergesamt utilisateurs totaldesutilisateurs usuarios usuariostotales usuários",
		"active":       "activeusers aktivenutzer utilisateursactifs usuariosactivos usuáriosativos",
		"bouncerate":   "bouncerate absprungrate tauxderebond porcentajederebote",
		"bounces":      "bounces",
		"engaged":      "engagedsessions sitzungenmitinteraktionen sessionsavecengagement sesionesconinteracción",
		"average":      "averagesessionduration avg.sessionduration avgsessionduration durchschnittlichesitzungsdauer duréemoyennedesessions",
		"seconds":      "userengagementduration userengagement sessionduration",
		"entrances":    "entrances einstiege",
		"exits":        "exits ausstiege",
		"unique":       "uniquepageviews",
		"events":       "eventcount totalevents events ereignisanzahl nombredévénements númerodeeventos",
		"uniqueevents": "uniqueevents",
	})
)

// names turns a list of spellings by name into names by spelling.
func names(spellings map[string]string) map[string]string {
	m := make(map[string]string)
	for name, all := range spellings {
		for s := range strings.FieldsSeq(all) {
			m[s] = name
		}
	}
	return m
}

// canonical returns what a column is called here, or "".
func canonical(title string) (name string, isMetric bool) {
	s := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '_', '-', '\u00a0', '\'', '’', '"':
			return -1
		}
		return r
	}, strings.ToLower(title))
	s = strings.TrimPrefix(s, "ga:")
	if name := metrics[s]; name != "" {
		return name, true
	}
	return dimensions[s], false
}

// isReport tells a report: by the comment lines it begins with, or by a header
// of names that are Google's, one of them a metric's.
func isReport(head []byte) bool {
	text := strings.TrimLeft(string(head), "\"\r\n\t ")
	if strings.HasPrefix(text, "# -----") || strings.HasPrefix(text, "#,") {
		return true
	}
	line, _, _ := strings.Cut(text, "\n")
	known, measured := 0, false
	for _, title := range split(line) {
		name, isMetric := canonical(title)
		switch {
		case name == "":
		case isMetric:
			// Words that other products use too prove nothing.
			switch strings.ToLower(strings.TrimSpace(title)) {
			case "pageviews", "users", "bounces", "bounce_rate", "views", "events", "entrances", "exits", "visitors":
			default:
				measured = true
			}
			known++
		default:
			known++
		}
	}
	return measured && known >= 2
}

// split takes a header line apart, whatever its delimiter.
func split(line string) []string {
	for _, delimiter := range []string{"\t", ";", ","} {
		if strings.Contains(line, delimiter) {
			cells := strings.Split(strings.TrimRight(line, "\r"), delimiter)
			for i := range cells {
				cells[i] = strings.Trim(cells[i], `" `)
			}
			return cells
		}
	}
	return []string{strings.Trim(line, "\"\r ")}
}

// readReport returns the tables of a report.
func readReport(ctx context.Context, in *input.Input) ([]*reportTable, error) {
	r, err := in.Text(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxReport+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxReport {
		return nil, input.Errorf(in.Name, "is a report of more than %d MiB; export it in parts, a month or a year each", maxReport>>20)
	}
	if in.Format() == input.JSON {
		return readAPI(in, string(text))
	}
	return readTables(in, text)
}

// readTables reads a report as CSV: comment lines, and tables that blank lines
// part.
func readTables(in *input.Input, text []byte) ([]*reportTable, error) {
	var (
		tables     []*reportTable
		start, end time.Time
		block      []byte
		first      int64 // line of the block
	)
	flush := func() error {
		defer func() { block = nil }()
		if len(bytes.TrimSpace(block)) == 0 {
			return nil
		}
		t, err := readBlock(in, block, first)
		if err != nil {
			return err
		}
		t.start, t.end = start, end
		tables = append(tables, t)
		return nil
	}
	var number int64
	quoted := false // inside a cell that spans lines
	for line := range bytes.Lines(text) {
		number++
		trimmed := bytes.Trim(line, "\" ,;\t\r\n")
		if !quoted && (len(trimmed) == 0 || trimmed[0] == '#') {
			if err := flush(); err != nil {
				return nil, err
			}
			// "# Start date: 20240101", "# 20240101-20240131" in Universal Analytics.
			if comment := strings.TrimSpace(strings.TrimLeft(string(trimmed), "#")); len(comment) >= 8 {
				last := comment[strings.LastIndexAny(comment, ": ")+1:]
				from, to, isRange := strings.Cut(last, "-")
				if a, ok := compactDate(from); ok && isRange {
					if b, ok := compactDate(to); ok {
						start, end = a, b
					}
				} else if ok && !isRange {
					// The start stands before the end, whatever they are called.
					if start.IsZero() || !end.IsZero() {
						start, end = a, time.Time{}
					} else {
						end = a
					}
				}
			}
			continue
		}
		if block == nil {
			first = number
		}
		block = append(block, line...)
		if bytes.Count(line, []byte(`"`))%2 == 1 {
			quoted = !quoted
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	// The dates can follow the table they belong to.
	for _, t := range tables {
		if t.end.IsZero() {
			t.start, t.end = start, end
		}
	}
	return tables, nil
}

func compactDate(s string) (time.Time, bool) {
	if len(s) != 8 {
		return time.Time{}, false
	}
	t, err := time.Parse("20060102", s)
	return t, err == nil
}

// readBlock reads one table, whose header is the line with that number.
func readBlock(in *input.Input, block []byte, number int64) (*reportTable, error) {
	header, _, _ := bytes.Cut(block, []byte("\n"))
	c := csv.NewReader(bytes.NewReader(block))
	c.FieldsPerRecord, c.LazyQuotes, c.TrimLeadingSpace = -1, true, true
	for _, delimiter := range []rune{'\t', ';', ','} {
		if bytes.ContainsRune(header, delimiter) {
			c.Comma = delimiter
			break
		}
	}
	t := &reportTable{in: in}
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, input.Errorf(in.Name, "table at row %d: %w; export the report again", number, err)
		}
		if t.titles == nil {
			t.titles = cells
			for _, title := range cells {
				name, _ := canonical(title)
				t.columns = append(t.columns, name)
			}
			continue
		}
		line, _ := c.FieldPos(0)
		t.rows = append(t.rows, reportRow{number + int64(line) - 1, cells})
	}
}

// readAPI reads answers of the Data API: one, a list of them, or those of a
// batch.
func readAPI(in *input.Input, text string) ([]*reportTable, error) {
	var tables []*reportTable
	var number int64
	var read func(v *record.Value)
	read = func(v *record.Value) {
		if v.Kind == record.List {
			for i := range v.Kids {
				read(&v.Kids[i])
			}
			return
		}
		if reports := v.Get("reports"); reports != nil {
			read(reports)
			return
		}
		t := &reportTable{in: in, zone: v.Get("metadata").Get("timeZone").String()}
		for _, list := range [...]string{"dimensionHeaders", "metricHeaders"} {
			for _, h := range v.Get(list).Elements() {
				title := h.Get("name").String()
				name, _ := canonical(title)
				t.titles, t.columns = append(t.titles, title), append(t.columns, name)
			}
		}
		for _, row := range v.Get("rows").Elements() {
			number++
			r := reportRow{number: number}
			for _, list := range [...]string{"dimensionValues", "metricValues"} {
				for _, value := range row.Get(list).Elements() {
					r.cells = append(r.cells, value.Get("value").String())
				}
			}
			t.rows = append(t.rows, r)
		}
		if t.titles != nil {
			tables = append(tables, t)
		}
	}
	// Pages of an answer are often kept one after the other.
	var s scannedValues
	for value := range s.all(text) {
		v, err := record.Parse(value)
		if err != nil {
			return nil, input.Errorf(in.Name, "%w; expected the Data API's answer", err)
		}
		read(v)
	}
	return tables, nil
}

// scannedValues finds the JSON values that stand one after the other.
type scannedValues struct{}

func (scannedValues) all(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		depth, start, quoted := 0, -1, false
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case quoted:
				if c == '\\' {
					i++
				} else if c == '"' {
					quoted = false
				}
			case c == '"':
				quoted = true
			case c == '{', c == '[':
				if depth++; depth == 1 {
					start = i
				}
			case c == '}', c == ']':
				if depth--; depth == 0 && start >= 0 {
					if !yield(text[start : i+1]) {
						return
					}
					start = -1
				}
			}
		}
		if start >= 0 {
			yield(text[start:])
		}
	}
}
