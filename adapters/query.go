package adapters

import (
	"net/url"
	"strings"
)

// UTMNames are the parameters of a campaign that Rybbit shows, in the order in
// which [UTMQuery] writes them.
var UTMNames = [...]string{"utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"}

// UTMQuery returns the query of UTM values in the order of [UTMNames], without
// the empty ones.
func UTMQuery(values []string) string {
	var b strings.Builder
	for i, value := range values {
		if value == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(UTMNames[i])
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(value))
	}
	return b.String()
}

// AddParameter returns the query with a parameter that it lacks. A parameter
// that it has already, in upper or lower case, and an empty value leave it as
// it is.
func AddParameter(query, name, value string) string {
	switch {
	case value == "" || HasParameter(query, name):
		return query
	case query == "":
		return name + "=" + url.QueryEscape(value)
	}
	return query + "&" + name + "=" + url.QueryEscape(value)
}

// HasParameter reports whether a query, which may begin with "?", has a
// parameter of that name, in upper or lower case, with a value or without.
func HasParameter(query, name string) bool {
	query = strings.TrimPrefix(query, "?")
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if len(pair) >= len(name) && (len(pair) == len(name) || pair[len(name)] == '=') && strings.EqualFold(pair[:len(name)], name) {
			return true
		}
	}
	return false
}
