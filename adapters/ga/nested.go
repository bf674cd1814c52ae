package ga

import (
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
	v, err := record.Parse(fromPython(s))
	return v, err == nil
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
