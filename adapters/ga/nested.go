package ga

import (
	"regexp"
	"strings"

	"hopper/adapters/input/rows/record"
)

// parseNested opens a record or list that stands in a cell as text: as JSON, as
// warehouses write it, or as Python prints it.
func parseNested(s string) (*record.Value, bool) {
	s = strings.TrimSpace(s)
	if len(s) < 2 || s[0] != '{' && s[0] != '[' && !strings.HasPrefix(s, "array(") {
		return nil, false
	}
	if v, err := record.Parse(s); err == nil {
		return v, true
	}
	if v, err := record.Parse(fromPython(s)); err == nil {
		return v, true
	}
	return fromPresto(s)
}

// unfold opens the members of a record that hold records and lists as text.
func unfold(root *record.Value) {
	for i := range root.Kids {
		kid := &root.Kids[i]
		if kid.Kind != record.Text {
			continue
		}
		if v, ok := parseNested(kid.Text); ok {
			key := kid.Key
			*kid = *v
			kid.Key = key
		}
	}
}

// fromPython writes what Python prints of dictionaries, lists and arrays as JSON.
func fromPython(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		c := s[i]
		if c == '\'' || c == '"' {
			i = quotePython(&b, s, i)
			continue
		}
		word := s[i : i+len(s[i:])-len(strings.TrimLeft(s[i:], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_="))]
		switch word {
		case "":
			switch c {
			case '(', ')':
			case '{', '[': // NumPy parts elements by space alone
				if text := strings.TrimRight(b.String(), " \n"); strings.HasSuffix(text, "}") || strings.HasSuffix(text, "]") {
					b.WriteByte(',')
				}
				b.WriteByte(c)
			default:
				b.WriteByte(c)
			}
			i++
			continue
		case "None", "nan", "NaN", "NaT":
			b.WriteString("null")
		case "True":
			b.WriteString("true")
		case "False":
			b.WriteString("false")
		case "dtype=object": // behind the comma of an array's elements
			if text := strings.TrimRight(b.String(), ", \n"); len(text) < b.Len() {
				b.Reset()
				b.WriteString(text)
			}
		case "array":
		default:
			b.WriteString(word)
		}
		i += len(word)
	}
	return b.String()
}

// quotePython copies the string of Python's that begins at i as one of JSON's,
// and returns where it ends.
func quotePython(b *strings.Builder, s string, i int) int {
	quote := s[i]
	var text []byte
	for i++; i < len(s) && s[i] != quote; i++ {
		if s[i] != '\\' || i+1 == len(s) {
			text = append(text, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			text = append(text, '\n')
		case 't':
			text = append(text, '\t')
		case 'r':
			text = append(text, '\r')
		default:
			text = append(text, s[i])
		}
	}
	b.Write(record.AppendQuoted(nil, string(text)))
	return i + 1
}

// fromPresto opens what Presto, Trino and Athena write of rows, and DuckDB of
// structs: [{key=page_title, value={string_value=Menu, int_value=null}}] and
// [{'key': page_title, 'value': {'string_value': Menu, 'int_value': NULL}}]. Text
// is mostly not quoted: it ends where the next member, or the record, does.
func fromPresto(s string) (*record.Value, bool) {
	const deepest = 8
	p := &prestoReader{text: s}
	v, ok := p.value(deepest)
	return v, ok && p.text == ""
}

type prestoReader struct{ text string }

var (
	prestoMember = regexp.MustCompile(`^'?([A-Za-z_][A-Za-z0-9_]*)(?:=|': )`)
	prestoEnd    = regexp.MustCompile(`, '?[A-Za-z_][A-Za-z0-9_]*(?:=|': )|}(?:, \{|, '?[A-Za-z_][A-Za-z0-9_]*(?:=|': )|}|\]|$)|\]$`)
)

func (p *prestoReader) skip(s string) bool {
	rest, found := strings.CutPrefix(p.text, s)
	p.text = rest
	return found
}

func (p *prestoReader) value(deep int) (*record.Value, bool) {
	switch {
	case deep == 0:
		return nil, false
	case p.skip("["):
		list := &record.Value{Kind: record.List}
		for !p.skip("]") {
			before := len(p.text)
			v, ok := p.value(deep - 1)
			if !ok || len(p.text) == before {
				return nil, false
			}
			list.Kids = append(list.Kids, *v)
			p.skip(", ")
		}
		return list, true
	case p.skip("{"):
		object := &record.Value{Kind: record.Object}
		for !p.skip("}") {
			name := prestoMember.FindStringSubmatch(p.text)
			if name == nil || !p.skip(name[0]) {
				return nil, false
			}
			v, ok := p.value(deep - 1)
			if !ok {
				return nil, false
			}
			v.Key = name[1]
			object.Kids = append(object.Kids, *v)
			p.skip(", ")
		}
		return object, true
	}
	end := prestoEnd.FindStringIndex(p.text)
	if end == nil {
		return nil, false
	}
	text := p.text[:end[0]]
	p.text = p.text[end[0]:]
	switch {
	case text == "null", text == "NULL":
		return &record.Value{Kind: record.Null}, true
	case len(text) > 1 && text[0] == '\'' && text[len(text)-1] == '\'': // DuckDB quotes text with signs in it
		text = strings.ReplaceAll(text[1:len(text)-1], `\'`, "'")
	}
	return &record.Value{Kind: record.Text, Text: text}, true
}
