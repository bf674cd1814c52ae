package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"hopper"
)

var updateSchema = flag.Bool("update-schema", false, "write schedules/sites.schema.json anew")

const schemaPath = "schedules/sites.schema.json"

// TestSchemaOfSites holds the JSON Schema of hopper run's files to the flags of import.
func TestSchemaOfSites(t *testing.T) {
	want, err := json.MarshalIndent(sitesSchema(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *updateSchema {
		if err := os.WriteFile(schemaPath, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaPath)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the flags of import make of it (%v); go test ./cmd/hopper -run TestSchema -update-schema", schemaPath, err)
	}
}

// sitesSchema describes a file of sites.
func sitesSchema() map[string]any {
	cmd, _ := importCommand(new(global))
	site, defaults := map[string]any{}, map[string]any{}
	for _, key := range (&sitesFile{}).keys(cmd) {
		var of map[string]any
		switch key {
		case "inputs":
			of = map[string]any{"type": []string{"string", "array"}, "items": map[string]any{"type": "string"}, "description": "files, directories, globs and addresses"}
		case "name":
			of = map[string]any{"type": "string", "description": "what results and messages call the site; default its key site"}
		case "api-key":
			of = map[string]any{"type": "string", "description": "a variable of the environment, as ${RYBBIT_API_KEY}"}
		default:
			of = schemaOf(cmd.Flags().Lookup(key))
		}
		site[key] = of
		if !slices.Contains(siteOnly, key) {
			defaults[key] = of
		}
	}
	object := func(properties map[string]any, required ...string) map[string]any {
		o := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
		if len(required) > 0 {
			o["required"] = required
		}
		return o
	}
	schema := object(map[string]any{
		"state":    map[string]any{"type": "string", "description": "directory for ledgers and rejects; --state wins"},
		"defaults": object(defaults),
		"sites":    map[string]any{"type": "array", "minItems": 1, "items": object(site, "inputs")},
	}, "sites")
	schema["$schema"], schema["title"] = "https://json-schema.org/draft/2020-12/schema", "Sites that hopper run imports"
	return schema
}

func schemaOf(f *pflag.Flag) map[string]any {
	_, usage := pflag.UnquoteUsage(f)
	of := map[string]any{"description": usage}
	switch f.Value.Type() {
	case "bool":
		of["type"] = []string{"boolean", "string"}
	case "int":
		of["type"] = []string{"integer", "string"}
	case "stringSlice":
		of["type"], of["items"] = []string{"string", "array"}, map[string]any{"type": "string"}
	default:
		of["type"] = []string{"string", "number"}
	}
	if f.Name == "from" {
		of["enum"] = append([]string{"auto"}, hopper.SourceNames()...)
	}
	return of
}

// TestSchemaTakesWhatRunTakes holds the schema and the reader to each other.
func TestSchemaTakesWhatRunTakes(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"sites: [{site: 1, inputs: a.csv}]":                                                 true,
		"state: /s\nsites: [{site: ab12, name: x, inputs: [a.csv, 's3://b/*'], new: true}]": true,
		"defaults: {url: 'https://r.example', max-batch-bytes: 5MB, jobs: 2}\nsites: [{site: 1, inputs: a, since: 2024-01-31, max-rejects: 5}]": true,
		"defaults: {anonymize-visitors: true, drop-query-keys: [a, b]}\nsites: [{site: 1, inputs: a, ga-events: all, report: r.html}]":          true,
		"sites: []":                      false,
		"sites: [{site: 1}]":             false,
		"{}":                             false,
		"sites: {site: 1}":               false,
		"sites: [{site: 1, inputs: {}}]": false,
		"sites: [{site: 1, inputs: a, dry-run: true}]":               false,
		"sites: [{site: 1, inputs: a, json: true}]":                  false,
		"sites: [{site: 1, inputs: a, nowhere: 1}]":                  false,
		"defaults: {site: 1}\nsites: [{site: 1, inputs: a}]":         false,
		"defaults: {inputs: a}\nsites: [{site: 1}]":                  false,
		"sites: [{site: 1, inputs: a, from: [umami, plausible]}]":    false,
		"sites: [{site: 1, inputs: a, url: [https://a.example, b]}]": false,
	} {
		_, _, err := (&sitesFile{path: "f", global: new(global), lookup: os.LookupEnv}).read(strings.NewReader(text))
		if (err == nil) != want {
			t.Errorf("%s: the reader says %v", text, err)
		}
		if err := schema.Validate(asJSON(t, text)); (err == nil) != want {
			t.Errorf("%s: the schema says %v", text, err)
		}
	}
}

// asJSON returns YAML as a JSON Schema sees it.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

// FuzzSitesFile never crashes, and says of each error which file it is of.
func FuzzSitesFile(f *testing.F) {
	for _, seed := range []string{"sites: [{site: 1, inputs: a.csv}]", "defaults: &a {new: true}\nsites: [*a, {<<: *a}]", "sites:\n- site: ${A}\n  jobs: $${", "a: &a [*a]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := &sitesFile{path: "sites.yaml", global: new(global), lookup: func(string) (string, bool) { return "x", true }}
		_, entries, err := s.read(strings.NewReader(text))
		if err == nil && len(entries) == 0 || err != nil && !strings.HasPrefix(err.Error(), "sites.yaml:") {
			t.Errorf("%q gives %d sites and %v", text, len(entries), err)
		}
	})
}
