package text

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// sqlKind is what a piece of a dump is.
type sqlKind uint8

const (
	sqlOther  sqlKind = iota // a comment, space or a statement without rows
	sqlInsert                // the head of an INSERT up to its values
	sqlTuple                 // the values of a row, in parentheses
	sqlCreate                // a CREATE TABLE
)

// A sqlPiece is what [sqlLexer.next] found.
type sqlPiece struct {
	kind    sqlKind
	table   string
	columns []string // empty where an INSERT names none
	start   int      // where a tuple begins in the text
}

// A sqlLexer takes a dump apart, piece by piece, in the dialects of
// PostgreSQL, MySQL, ClickHouse and SQLite. It does not understand statements
// other than those with rows; it finds their ends past quotes and comments.
type sqlLexer struct {
	// escapes says that a backslash escapes in all quotes, as MySQL and
	// ClickHouse have it, and not only in E'…'.
	escapes bool

	b       []byte
	at      int
	end     bool // nothing follows b
	short   bool // b was too short for the piece
	values  bool // within the tuples of an INSERT
	copying bool // within the lines of a COPY
	foreign bool // within DELIMITER ;; … DELIMITER ;
}

// sqlEscapes tells by a dump's beginning whether backslashes escape.
func sqlEscapes(head []byte) bool {
	if bytes.Contains(head, []byte("PostgreSQL database dump")) || bytes.Contains(head, []byte("PRAGMA foreign_keys")) ||
		bytes.Contains(head, []byte("NO_BACKSLASH_ESCAPES")) {
		return false
	}
	return bytes.Contains(head, []byte("/*!")) || bytes.Contains(head, []byte("MySQL dump")) || bytes.Contains(head, []byte("MariaDB dump")) ||
		bytes.Contains(head, []byte("phpMyAdmin")) || bytes.Contains(head, []byte("INTO `")) || bytes.Contains(head, []byte("(`"))
}

// next returns the first piece of b and its length, or false where b may be
// too short to tell. At the end of a dump it always finds one.
func (l *sqlLexer) next(b []byte, end bool) (p sqlPiece, size int, ok bool) {
	l.b, l.at, l.end, l.short = b, 0, end, false
	was := *l
	switch {
	case l.copying:
		l.skipCopied()
	case l.foreign:
		l.skipForeign()
	default:
		if l.space(); l.at > 0 && !l.short {
			return p, l.at, true
		}
		if l.values {
			p = l.inValues()
		} else {
			p = l.statement()
		}
	}
	if l.short && !end {
		*l = was
		return sqlPiece{}, 0, false
	}
	if l.at == 0 { // what no statement begins with
		l.at = 1
	}
	return p, l.at, true
}

// peek returns the byte at the position and ahead of it, or 0 behind the end.
func (l *sqlLexer) peek(ahead int) byte {
	if l.at+ahead < len(l.b) {
		return l.b[l.at+ahead]
	}
	l.short = true
	return 0
}

// to moves to where sep begins next, or behind it.
func (l *sqlLexer) to(sep string, behind bool) {
	n := bytes.Index(l.b[l.at:], []byte(sep))
	switch {
	case n < 0:
		l.at, l.short = len(l.b), true
	case behind:
		l.at += n + len(sep)
	default:
		l.at += n
	}
}

// space skips space and comments. MySQL's conditional comments are comments.
func (l *sqlLexer) space() {
	for l.at < len(l.b) {
		switch c := l.b[l.at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			l.at++
		case c == '-' && l.peek(1) == '-':
			l.to("\n", true)
		case c == '#':
			l.to("\n", true)
		case c == '/' && l.peek(1) == '*':
			l.at += 2
			l.to("*/", true)
		default:
			return
		}
		if l.short {
			return
		}
	}
}

// word reads a name, with its quotes taken off, or a single other character.
func (l *sqlLexer) word() (word string, quoted bool) {
	if l.space(); l.at >= len(l.b) {
		l.short = true
		return "", false
	}
	start := l.at
	switch c := l.b[l.at]; {
	case c == '`' || c == '"' || c == '[' || c == '\'':
		l.quote()
		if l.at-start < 2 {
			return "", true
		}
		inner := string(l.b[start+1 : l.at-1])
		if c != '[' {
			inner = strings.ReplaceAll(inner, string(c)+string(c), string(c))
		}
		return inner, true
	case isWord(c):
		for l.at < len(l.b) && isWord(l.b[l.at]) {
			l.at++
		}
		if l.at == len(l.b) {
			l.short = true
		}
	default:
		l.at++
	}
	return string(l.b[start:l.at]), false
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= utf8.RuneSelf || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// quote skips a quoted text or name.
func (l *sqlLexer) quote() {
	c := l.b[l.at]
	escapes := c != '`' && c != '[' && (l.escapes || c == '\'' && isEscapePrefix(l.b[:l.at]))
	closing := c
	if c == '[' {
		closing = ']'
	}
	for l.at++; l.at < len(l.b); {
		n := bytes.IndexByte(l.b[l.at:], closing)
		if n < 0 {
			break
		}
		before := l.b[l.at : l.at+n]
		if escapes {
			if at := bytes.IndexByte(before, '\\'); at >= 0 {
				l.at += at + 2
				continue
			}
		}
		l.at += n + 1
		if l.at >= len(l.b) && !l.end {
			break // it may be doubled
		}
		if l.at < len(l.b) && l.b[l.at] == closing {
			l.at++
			continue
		}
		return
	}
	l.at, l.short = len(l.b), true
}

// isEscapePrefix reports whether before ends in the E of PostgreSQL's E'…'.
func isEscapePrefix(before []byte) bool {
	n := len(before)
	return n > 0 && before[n-1]|0x20 == 'e' && (n == 1 || !isWord(before[n-2]))
}

// skipStatement goes behind the semicolon that ends a statement.
func (l *sqlLexer) skipStatement() {
	for l.at < len(l.b) && !l.short {
		n := bytes.IndexAny(l.b[l.at:], ";'\"`-#/$")
		if n < 0 {
			break
		}
		l.at += n
		switch c := l.b[l.at]; c {
		case ';':
			l.at++
			return
		case '\'', '"', '`':
			l.quote()
		case '$':
			l.dollar()
		default:
			if before := l.at; true {
				if l.space(); l.at == before {
					l.at++
				}
			}
		}
	}
	l.at, l.short = len(l.b), true
}

// dollar skips a text in PostgreSQL's $tag$ … $tag$, or a dollar sign.
func (l *sqlLexer) dollar() {
	tag := l.at + 1
	for tag < len(l.b) && isWord(l.b[tag]) && l.b[tag] != '$' {
		tag++
	}
	if tag >= len(l.b) {
		l.short = true
		return
	}
	if l.b[tag] != '$' || l.at > 0 && isWord(l.b[l.at-1]) {
		l.at++
		return
	}
	sep := string(l.b[l.at : tag+1])
	l.at = tag + 1
	l.to(sep, true)
}

// skipCopied goes behind the line that ends a COPY.
func (l *sqlLexer) skipCopied() {
	for l.at < len(l.b) {
		line, _, whole := bytes.Cut(l.b[l.at:], []byte("\n"))
		if !whole {
			if l.at == 0 && len(l.b) < maxRecord {
				l.short = true // else a line that is skipped in parts
			}
			if l.end || l.at == 0 && !l.short {
				l.at = len(l.b)
			}
			return
		}
		l.at += len(line) + 1
		if string(bytes.TrimSuffix(line, []byte("\r"))) == `\.` {
			l.copying = false
			return
		}
	}
}

// skipForeign goes behind the line that makes the semicolon end statements again.
func (l *sqlLexer) skipForeign() {
	if l.to("DELIMITER ;", true); l.short {
		return
	}
	if c := l.peek(0); !l.short && c != ';' {
		l.foreign = false
	}
	if l.at == len(l.b) && l.end {
		l.foreign = false
	}
}

// inValues reads what follows within an INSERT's values.
func (l *sqlLexer) inValues() sqlPiece {
	switch l.peek(0) {
	case ',':
		l.at++
	case '(':
		p := sqlPiece{kind: sqlTuple, start: l.at}
		l.tuple()
		return p
	case 0:
	default: // the end, or ON DUPLICATE KEY UPDATE …
		l.skipStatement()
		l.values = l.short
	}
	return sqlPiece{}
}

// tuple goes behind the parenthesis that closes the one at the position.
func (l *sqlLexer) tuple() {
	depth := 0
	for l.at < len(l.b) {
		n := bytes.IndexAny(l.b[l.at:], "'\"`()[]{}")
		if n < 0 {
			break
		}
		l.at += n
		switch l.b[l.at] {
		case '(', '[', '{':
			depth++
			l.at++
		case ')', ']', '}':
			depth--
			if l.at++; depth == 0 {
				return
			}
		default:
			if l.quote(); l.short {
				return
			}
		}
	}
	l.at, l.short = len(l.b), true
}

// statement reads the beginning of a statement that has rows, and all of any other.
func (l *sqlLexer) statement() sqlPiece {
	start := l.at
	if l.peek(0) == '\\' { // a command of psql
		l.to("\n", true)
		return sqlPiece{}
	}
	first, quoted := l.word()
	if !quoted && !l.short {
		switch strings.ToUpper(first) {
		case "INSERT", "REPLACE":
			if p, ok := l.insert(); ok || l.short {
				return p
			}
		case "CREATE":
			if p, ok := l.create(); ok || l.short {
				return p
			}
		case "COPY":
			l.at = start
			if l.to("\n", true); !l.short && bytes.Contains(l.b[start:l.at], []byte(" FROM stdin;")) {
				l.copying = true
				return sqlPiece{}
			}
		case "DELIMITER":
			at := l.at
			if l.to("\n", true); !l.short {
				l.foreign = strings.TrimSpace(string(l.b[at:l.at])) != ";"
				return sqlPiece{}
			}
		}
	}
	l.at = start
	l.short = false
	l.skipStatement()
	return sqlPiece{}
}

// insert reads `INTO "public"."t" (a, b) VALUES`.
func (l *sqlLexer) insert() (p sqlPiece, ok bool) {
	p.kind = sqlInsert
	word := ""
	for range 4 { // IGNORE, LOW_PRIORITY, OR REPLACE
		if word, _ = l.word(); strings.EqualFold(word, "INTO") || l.short {
			break
		}
	}
	if !strings.EqualFold(word, "INTO") {
		return sqlPiece{}, false
	}
	p.table, word = l.name()
	if strings.EqualFold(word, "TABLE") { // INSERT INTO TABLE t
		p.table, word = l.name()
	}
	if word == "(" {
		p.columns = l.names()
		word, _ = l.word()
	}
	for !strings.EqualFold(word, "VALUES") { // OVERRIDING SYSTEM VALUE
		if l.short || word == ";" || word == "(" || strings.EqualFold(word, "SELECT") {
			return sqlPiece{}, false
		}
		word, _ = l.word()
	}
	l.values = !l.short
	return p, !l.short
}

// name reads a table's name without its schema, and the word behind it.
func (l *sqlLexer) name() (name, next string) {
	name, quoted := l.word()
	if !quoted && name == "(" {
		return "", name
	}
	for {
		if next, _ = l.word(); next != "." {
			return name, next
		}
		name, _ = l.word()
	}
}

// names reads a list of names up to its closing parenthesis.
func (l *sqlLexer) names() (names []string) {
	for !l.short {
		word, quoted := l.word()
		switch {
		case quoted || len(word) > 0 && isWord(word[0]):
			names = append(names, word)
		case word == ".": // Nested columns of ClickHouse: meta.key
			more, _ := l.word()
			if n := len(names); n > 0 {
				names[n-1] += "." + more
			}
		case word == ")":
			return names
		case word != ",":
			l.short = l.short || word == ""
			return names
		}
	}
	return nil
}

// noColumns begin what a CREATE TABLE has beside columns.
var noColumns = []string{"PRIMARY", "UNIQUE", "KEY", "INDEX", "CONSTRAINT", "FOREIGN", "FULLTEXT", "SPATIAL", "CHECK", "EXCLUDE", "LIKE", "PROJECTION"}

// create reads the columns of a CREATE TABLE.
func (l *sqlLexer) create() (p sqlPiece, ok bool) {
	word := ""
	for range 4 { // TEMPORARY, OR REPLACE, UNLOGGED
		if word, _ = l.word(); strings.EqualFold(word, "TABLE") || l.short {
			break
		}
	}
	if !strings.EqualFold(word, "TABLE") {
		return sqlPiece{}, false
	}
	p.kind = sqlCreate
	p.table, word = l.name()
	if strings.EqualFold(p.table, "IF") { // NOT EXISTS
		l.word()
		p.table, word = l.name()
	}
	for word != "(" {
		if word == ";" || l.short {
			return sqlPiece{}, false
		}
		word, _ = l.word()
	}
	begins, depth := true, 1
	for depth > 0 && !l.short {
		word, quoted := l.word()
		switch {
		case begins && (quoted || !slices.Contains(noColumns, strings.ToUpper(word))) && word != ")":
			p.columns = append(p.columns, word)
			begins = false
		case quoted:
			begins = false
		case word == "(":
			depth++
		case word == ")":
			depth--
		default:
			begins = word == "," && depth == 1
		}
	}
	l.skipStatement()
	return p, !l.short || l.end
}
