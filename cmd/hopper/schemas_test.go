package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spf13/cobra"

	"hopper"
	"hopper/pipeline"
	"hopper/sinks/rybbit/sandbox"
)

// schemas compiles what schemas/ holds.
type schemas struct{ compiler *jsonschema.Compiler }

func newSchemas() schemas {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	return schemas{c}
}

func (s schemas) validate(t *testing.T, name string, document []byte) {
	t.Helper()
	schema, err := s.compiler.Compile(filepath.Join("schemas", name+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatalf("%v in %.300s", err, document)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%v\n%.2000s", err, document)
	}
}

// output runs a command that ends with an exit code and returns what it prints.
func output(t *testing.T, code int, args ...string) (stdout, stderr []byte) {
	t.Helper()
	var out, said bytes.Buffer
	if got := run(args, strings.NewReader(""), &out, &said); got != code {
		t.Fatalf("hopper %s: exit code %d, not %d: %s", strings.Join(args, " "), got, code, &said)
	}
	return out.Bytes(), said.Bytes()
}

// rybbitServer starts a server that the environment names.
func rybbitServer(t *testing.T) *sandbox.Server {
	server, err := sandbox.Open(context.Background(), sandbox.Options{Path: filepath.Join(t.TempDir(), "rybbit.db"), Key: "key"})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("RYBBIT_URL", web.URL)
	t.Setenv("RYBBIT_SITE", "1")
	t.Setenv("RYBBIT_API_KEY", "key")
	return server
}

// TestSchemasOfImport holds what import, run and imports list print to their schemas,
// in every way in which an import can end.
func TestSchemasOfImport(t *testing.T) {
	s := newSchemas()
	rybbitServer(t)
	dir, umami := t.TempDir(), "../../fixtures/umami/"
	state := []string{"--state", filepath.Join(dir, "state"), "--json", "--quiet"}
	for _, c := range []struct {
		name, schema string
		code         int
		args         []string
	}{
		{"dry run", "import", exitDone, []string{"import", "--dry-run", umami + "cloud-2026.zip"}},
		{"with verification", "import", exitDone, []string{"import", "--verify", umami + "cloud-2026.zip"}},
		{"once more", "import", exitDone, []string{"import", umami + "cloud-2026.zip"}},
		{"new", "import", exitDone, []string{"import", "--new", "../../fixtures/events/shop.csv"}},
		{"nothing new", "import", exitDone, []string{"import", "--new", "../../fixtures/events/shop.csv"}},
		{"rejects", "import", exitRejects, []string{"import", "--max-rejects", "0", umami + "broken/rows.csv"}},
		{"live", "import", exitDone, []string{"import", "--until", "live", "--again", umami + "clickhouse.csv"}},
		{"nothing that can be read", "import", exitFailed, []string{"import", umami + "broken/junk.csv"}},
		{"list", "imports", exitDone, []string{"imports", "list"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, _ := output(t, c.code, slices.Concat(c.args, state)...)
			s.validate(t, c.schema, out)
		})
	}
	t.Run("run", func(t *testing.T) {
		file := filepath.Join(dir, "sites.yaml")
		text := "sites:\n- {site: 1, inputs: ../../fixtures/events/shop.ndjson, again: true, force: true, verify: true}\n- {site: 1, name: broken, inputs: " + umami + "broken/junk.csv}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := output(t, exitFailed, slices.Concat([]string{"run", file}, state)...)
		s.validate(t, "run", out)
	})
	t.Run("rejects file", func(t *testing.T) {
		file := filepath.Join(dir, "rejects.ndjson")
		output(t, exitDone, slices.Concat([]string{"import", "--dry-run", "--force", "--rejects", file, umami + "broken/rows.csv"}, state)...)
		if n := validateLines(t, s, "rejects", file); n == 0 {
			t.Error("no row was rejected")
		}
	})
}

// TestSchemasOfReading holds what inspect, verify and translate print, and the
// events and manifests that translate writes, to their schemas.
func TestSchemasOfReading(t *testing.T) {
	s := newSchemas()
	for _, in := range []string{
		"umami/cloud-2026.zip", "umami/clickhouse.csv", "umami/postgres", "umami/v1", "umami/broken/rows.csv",
		"plausible/export.zip", "plausible/events.csv",
		"ga/events_20240305.json", "ga/ga_sessions_20190412.ndjson", "ga/report-de.csv", "events/shop.csv",
	} {
		t.Run(in, func(t *testing.T) {
			path, state := filepath.Join("../../fixtures", in), t.TempDir()
			out, _ := output(t, exitDone, "inspect", "--json", "--quiet", path)
			s.validate(t, "inspect", out)
			out, _ = output(t, exitDone, "verify", "--json", "--quiet", "--state", state, path)
			s.validate(t, "verify", out)
			parts := t.TempDir()
			_, said := output(t, exitDone, "translate", "--json", "--quiet", "-o", parts, path)
			s.validate(t, "translate", said)
			manifest, err := os.ReadFile(filepath.Join(parts, "manifest.json"))
			if err != nil {
				t.Fatal(err)
			}
			s.validate(t, "manifest", manifest)
			if n := validateLines(t, s, "events", filepath.Join(parts, "part-00000.ndjson")); n == 0 {
				t.Error("no events")
			}
		})
	}
	t.Run("no rows", func(t *testing.T) {
		all, err := os.ReadFile("../../fixtures/umami/clickhouse.csv")
		if err != nil {
			t.Fatal(err)
		}
		header, _, _ := bytes.Cut(all, []byte("\n"))
		path := filepath.Join(t.TempDir(), "empty.csv")
		if err := os.WriteFile(path, append(header, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"inspect", "verify"} {
			out, _ := output(t, exitDone, command, "--json", "--quiet", "--state", t.TempDir(), path)
			s.validate(t, command, out)
		}
	})
}

func validateLines(t *testing.T, s schemas, name, path string) (n int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for ; lines.Scan() && !t.Failed(); n++ {
		s.validate(t, name, lines.Bytes())
	}
	return n
}

// TestSchemaOfShown holds the comparison with a server to the schema.
func TestSchemaOfShown(t *testing.T) {
	s := newSchemas()
	rybbitServer(t)
	state, in := t.TempDir(), "../../fixtures/umami/cloud-2026.zip"
	output(t, exitDone, "import", "--state", state, "--quiet", in)
	out, _ := output(t, exitDone, "verify", "--json", "--quiet", "--state", state, "--site", "1", in)
	s.validate(t, "verify", out)
	if !bytes.Contains(out, []byte(`"shown"`)) {
		t.Error("nothing is shown")
	}
}

// TestSchemasHaveEveryMember holds the members that a schema names to those that the
// program knows, whether or not any fixture has them.
func TestSchemasHaveEveryMember(t *testing.T) {
	for at, of := range map[string]any{
		"import#/$defs/result": hopper.Result{}, "import#/$defs/result/properties/units": hopper.UnitCounts{},
		"inspect#": hopper.Inspection{}, "inspect#/properties/wires/items": hopper.WireVerdict{},
		"inspect#/properties/fields/items": hopper.FieldRow{}, "inspect#/$defs/verdict": hopper.FieldVerdict{},
		"inspect#/$defs/tally/additionalProperties": pipeline.Occurrence{},
		"verify#/$defs/verification":                hopper.Verification{},
		"imports#/items":                            importRow{},
		"manifest#":                                 hopper.Manifest{}, "manifest#/properties/stats": pipeline.Stats{},
		"rejects#": pipeline.Reject{},
	} {
		name, pointer, _ := strings.Cut(at, "#")
		want := members(reflect.TypeOf(of))
		if got := propertiesOf(t, name, pointer); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %v, the program %v", at, got, want)
		}
	}
	var columns []string
	for _, c := range pipeline.Columns() {
		if columns = append(columns, c.Name); c.Object != nil {
			columns = append(columns, c.JSONKeys())
		}
	}
	slices.Sort(columns)
	if got := propertiesOf(t, "events", ""); !slices.Equal(got, columns) {
		t.Errorf("events: the schema has %v, the table %v", got, columns)
	}
}

// propertiesOf returns the names of the properties at a place of a schema, sorted.
func propertiesOf(t *testing.T, name, pointer string) (names []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("schemas", name+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var at any
	if err := json.Unmarshal(text, &at); err != nil {
		t.Fatal(err)
	}
	for step := range strings.SplitSeq(strings.Trim(pointer, "/")+"/properties", "/") {
		if step == "" {
			continue
		}
		next, ok := at.(map[string]any)
		if !ok {
			t.Fatalf("%s#%s leads nowhere", name, pointer)
		}
		at = next[step]
	}
	for property := range at.(map[string]any) {
		names = append(names, property)
	}
	slices.Sort(names)
	return names
}

// members returns the names that encoding/json gives to a struct's fields, sorted.
func members(of reflect.Type) (names []string) {
	for _, f := range reflect.VisibleFields(of) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestSchemasOfEveryCommand finds no command with --json that has no schema.
func TestSchemasOfEveryCommand(t *testing.T) {
	known := map[string]string{
		"hopper import": "import", "hopper run": "run", "hopper inspect": "inspect", "hopper verify": "verify",
		"hopper translate": "translate", "hopper imports list": "imports",
	}
	root, _ := newRoot()
	visit(root, func(cmd *cobra.Command) {
		if cmd.Flags().Lookup("json") == nil {
			return
		}
		if _, err := os.Stat(filepath.Join("schemas", known[cmd.CommandPath()]+".schema.json")); err != nil {
			t.Errorf("%s --json: %v", cmd.CommandPath(), err)
		}
	})
}
