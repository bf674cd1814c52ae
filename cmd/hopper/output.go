package main

import (
	"encoding/json"
	"io"
)

// printJSON prints the one object that --json promises.
func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func jsonText(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}
