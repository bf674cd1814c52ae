package sandbox

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// token is a word of SQL.
type token struct {
	kind tokenKind
	text string
}

type tokenKind int

const (
	word tokenKind = iota
	literal
	symbol
)

var tokenPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:` +
		`(?P<space>\s+)|` +
		`(?P<text>'(?:[^'\\]|''|\\.)*')|` +
		`(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|` +
		`(?P<word>[A-Za-z_][A-Za-z0-9_]*)|` +
		`(?P<symbol><=|>=|<>|!=|==|\|\||[-+*/%(),.<>=\[\]]))`)
})

// tokens splits a query. Comments, quoted identifiers, statements after the first
// and whatever else is no part of a plain query are errors.
func tokens(query string) ([]token, error) {
	var all []token
	for rest := query; rest != ""; {
		m := tokenPattern().FindStringSubmatch(rest)
		if m == nil || strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "/*") {
			return nil, refusef("Syntax error: %.20q is not allowed in a query", rest)
		}
		rest = rest[len(m[0]):]
		switch {
		case m[1] != "":
		case m[2] != "":
			all = append(all, token{literal, sqliteText(m[2])})
		case m[3] != "":
			all = append(all, token{literal, m[3]})
		case m[4] != "":
			all = append(all, token{word, m[4]})
		default:
			all = append(all, token{symbol, m[5]})
		}
	}
	return all, nil
}

// sqliteText turns a text with backslashes into one without.
func sqliteText(quoted string) string {
	if !strings.Contains(quoted, `\`) {
		return quoted
	}
	var out strings.Builder
	for i := 0; i < len(quoted); i++ {
		c := quoted[i]
		if c == '\\' {
			i++
			if c = quoted[i]; c == '\'' {
				out.WriteByte('\'')
			}
		}
		out.WriteByte(c)
	}
	return out.String()
}

// forbidden are the words that a query must not hold, by which it would be more
// than a question or see more than the site's events.
var forbidden = strings.Fields(`settings format show insert update delete alter create drop attach detach pragma vacuum
	truncate optimize system grant revoke kill use set exchange rename into outfile`)

// plainFunctions mean the same in both dialects.
var plainFunctions = strings.Fields(`count sum avg min max round abs lower upper length coalesce nullif substring substr trim floor ceil in exists
	values and or not as on using over then else when between like by where having from join select case
	row_number rank distinct all union limit offset`)

// translateSQL checks a query and turns it into SQLite's dialect.
func translateSQL(query string) (string, error) {
	if len(query) > sqlLength {
		return "", refusef("Query is too long: at most %d characters", sqlLength)
	}
	all, err := tokens(query)
	if err != nil {
		return "", err
	}
	if len(all) == 0 || !isWord(all[0], "select") && !isWord(all[0], "with") {
		return "", refusef("Only a single SELECT query is allowed")
	}
	if err := checkTables(all); err != nil {
		return "", err
	}
	with := "WITH " + scopedEvents
	if isWord(all[0], "with") {
		with += ", "
		all = all[1:]
	}
	text, err := rewrite(all)
	return with + " " + text, err
}

func isWord(t token, w string) bool { return t.kind == word && strings.EqualFold(t.text, w) }

// checkTables allows the table of events and what the query names itself.
func checkTables(all []token) error {
	tables := []string{"scoped_events"}
	for i, t := range all {
		if t.kind != word {
			continue
		}
		if slices.Contains(forbidden, strings.ToLower(t.text)) && (i == 0 || !isWord(all[i-1], "as")) ||
			strings.HasPrefix(strings.ToLower(t.text), "sqlite_") {
			return refusef("%s is not allowed in a query", t.text)
		}
		if i+2 < len(all) && isWord(all[i+1], "as") && all[i+2].text == "(" {
			tables = append(tables, t.text)
		}
	}
	for i, t := range all {
		if !isWord(t, "from") && !isWord(t, "join") {
			continue
		}
		for _, table := range tablesAfter(all[i+1:]) {
			if !slices.Contains(tables, table) {
				return refusef("Unknown table %s: only scoped_events can be queried", table)
			}
		}
	}
	return nil
}

// tablesAfter returns the names in a list of tables, each with or without an alias.
func tablesAfter(all []token) (names []string) {
	for len(all) > 0 && all[0].kind == word {
		names = append(names, all[0].text)
		all = all[1:]
		for len(all) > 0 && all[0].kind == word && !slices.Contains(plainFunctions, strings.ToLower(all[0].text)) {
			all = all[1:]
		}
		if len(all) == 0 || all[0].text != "," {
			break
		}
		all = all[1:]
	}
	return names
}

// rewrite turns tokens into SQLite's text.
func rewrite(all []token) (string, error) {
	var out []string
	for i := 0; i < len(all); i++ {
		t := all[i]
		next := token{}
		if i+1 < len(all) {
			next = all[i+1]
		}
		switch {
		case isWord(t, "ilike"):
			out = append(out, "LIKE")
		case t.kind == word && next.text == "(":
			args, end, err := arguments(all, i+1)
			if err != nil {
				return "", err
			}
			call, err := function(t.text, args)
			if err != nil {
				return "", err
			}
			out, i = append(out, call), end
		case isWord(t, "url_parameters") && next.text == "[" && i+3 < len(all) && all[i+2].kind == literal && all[i+3].text == "]":
			out, i = append(out, "rybbit_param(querystring, "+all[i+2].text+")"), i+3
		case t.text == "[" || t.text == "]":
			return "", refusef("Syntax error: %s", t.text)
		default:
			out = append(out, t.text)
		}
	}
	return strings.Join(out, " "), nil
}

// arguments returns the rewritten arguments of a call whose parenthesis stands at
// open, and where it closes.
func arguments(all []token, open int) (args []string, end int, err error) {
	depth, start := 0, open+1
	for i := open; i < len(all); i++ {
		switch all[i].text {
		case "(", "[":
			depth++
			continue
		case ")", "]":
			depth--
		case ",":
		default:
			continue
		}
		if depth == 0 || depth == 1 && all[i].text == "," {
			if i > start || len(args) > 0 {
				arg, err := rewrite(all[start:i])
				if err != nil {
					return nil, 0, err
				}
				args = append(args, arg)
			}
			start = i + 1
		}
		if depth == 0 {
			return args, i, nil
		}
	}
	return nil, 0, refusef("Syntax error: a parenthesis is not closed")
}

// functions are ClickHouse's functions in SQLite's words, %[1]s being the first
// argument.
var functions = map[string]struct {
	least, most int
	text        string
}{
	"countif":          {1, 1, "count(CASE WHEN %[1]s THEN 1 END)"},
	"sumif":            {2, 2, "coalesce(sum(CASE WHEN %[2]s THEN %[1]s END), 0)"},
	"avgif":            {2, 2, "avg(CASE WHEN %[2]s THEN %[1]s END)"},
	"minif":            {2, 2, "min(CASE WHEN %[2]s THEN %[1]s END)"},
	"maxif":            {2, 2, "max(CASE WHEN %[2]s THEN %[1]s END)"},
	"uniqexact":        {1, 1, "count(DISTINCT %[1]s)"},
	"uniq":             {1, 1, "count(DISTINCT %[1]s)"},
	"uniqexactif":      {2, 2, "count(DISTINCT CASE WHEN %[2]s THEN %[1]s END)"},
	"any":              {1, 1, "min(%[1]s)"},
	"argmin":           {2, 2, "substr(min(printf('%%-40s%%020d', %[2]s, stored) || %[1]s), 61)"}, // of a tie the one stored first
	"argmax":           {2, 2, "substr(max(printf('%%-40s%%020d', %[2]s, 1000000000000000 - stored) || %[1]s), 61)"},
	"argminif":         {3, 3, "coalesce(substr(min(CASE WHEN %[3]s THEN printf('%%-40s%%020d', %[2]s, stored) || %[1]s END), 61), '')"},
	"todate":           {1, 2, "substr(rybbit_bucket(%[1]s || CASE WHEN length(%[1]s) = 10 THEN ' 00:00:00' ELSE '' END, %[2]s, 'day'), 1, 10)"},
	"todatetime":       {1, 1, "substr(%[1]s || ' 00:00:00', 1, 19)"},
	"tostartofday":     {1, 2, "rybbit_bucket(%[1]s, %[2]s, 'day')"},
	"tostartofhour":    {1, 2, "rybbit_bucket(%[1]s, %[2]s, 'hour')"},
	"tostartofminute":  {1, 2, "rybbit_bucket(%[1]s, %[2]s, 'minute')"},
	"tostartofmonth":   {1, 2, "substr(rybbit_bucket(%[1]s, %[2]s, 'month'), 1, 10)"},
	"tostartofyear":    {1, 2, "substr(rybbit_bucket(%[1]s, %[2]s, 'year'), 1, 10)"},
	"toyear":           {1, 1, "CAST(substr(%[1]s, 1, 4) AS INTEGER)"},
	"tomonth":          {1, 1, "CAST(substr(%[1]s, 6, 2) AS INTEGER)"},
	"tohour":           {1, 1, "CAST(substr(%[1]s, 12, 2) AS INTEGER)"},
	"toyyyymm":         {1, 1, "CAST(substr(%[1]s, 1, 4) || substr(%[1]s, 6, 2) AS INTEGER)"},
	"tounixtimestamp":  {1, 1, "CAST(strftime('%%s', %[1]s) AS INTEGER)"},
	"datediff":         {3, 3, "(CASE %[1]s WHEN 'second' THEN strftime('%%s', %[3]s) - strftime('%%s', %[2]s) WHEN 'day' THEN julianday(substr(%[3]s, 1, 10)) - julianday(substr(%[2]s, 1, 10)) END)"},
	"tostring":         {1, 1, "CAST(%[1]s AS TEXT)"},
	"toint64":          {1, 1, "CAST(%[1]s AS INTEGER)"},
	"touint64":         {1, 1, "CAST(%[1]s AS INTEGER)"},
	"toint32":          {1, 1, "CAST(%[1]s AS INTEGER)"},
	"touint32":         {1, 1, "CAST(%[1]s AS INTEGER)"},
	"tofloat64":        {1, 1, "CAST(%[1]s AS REAL)"},
	"empty":            {1, 1, "(%[1]s = '')"},
	"notempty":         {1, 1, "(%[1]s <> '')"},
	"if":               {3, 3, "CASE WHEN %[1]s THEN %[2]s ELSE %[3]s END"},
	"ifnull":           {2, 2, "coalesce(%[1]s, %[2]s)"},
	"domainwithoutwww": {1, 1, "rybbit_host(%[1]s)"},
	"intdiv":           {2, 2, "(CAST(%[1]s AS INTEGER) / CAST(%[2]s AS INTEGER))"},
	"startswith":       {2, 2, "(substr(%[1]s, 1, length(%[2]s)) = %[2]s)"},
	"jsonextractstring": {2, 2,
		"coalesce(json_extract(%[1]s, '$.\"' || %[2]s || '\"'), '')"},
}

// function returns a call in SQLite's words.
func function(name string, args []string) (string, error) {
	lower := strings.ToLower(name)
	if f, ok := functions[lower]; ok {
		if len(args) < f.least || len(args) > f.most {
			return "", refusef("Number of arguments for function %s doesn't match: passed %d", name, len(args))
		}
		if f.most == 2 && f.least == 1 && len(args) == 1 {
			args = append(args, "'UTC'")
		}
		values := make([]any, len(args))
		for i, a := range args {
			values[i] = a
		}
		return fmt.Sprintf(f.text, values...), nil
	}
	joined := strings.Join(args, ", ")
	switch {
	case lower == "concat":
		return "(" + strings.Join(args, " || ") + ")", nil
	case slices.Contains(plainFunctions, lower):
		return name + "(" + joined + ")", nil
	}
	return "", refusef("Unknown function %s", name)
}

// refusal is why a query is refused, in the server's words.
type refusal string

func (r refusal) Error() string { return string(r) }

func refusef(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }
