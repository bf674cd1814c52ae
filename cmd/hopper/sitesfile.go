package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"hopper/sinks/rybbit"
)

// A file of sites says what hopper run imports:
//
//	state: /var/lib/hopper
//	defaults:                       # for every site
//	  url: https://rybbit.example.com
//	  api-key: ${RYBBIT_API_KEY}
//	  new: true
//	sites:
//	  - site: 1
//	    inputs: [s3://exports/analytics_1234/]
//	    timezone: Europe/Berlin
//
// The keys of a site are the flags of import, with inputs, a name and the api-key
// beside them. Values may name variables of the environment, as ${NAME}. Messages
// show values as they stand in the file, so that no secret is printed.

// notInFile are flags of import that belong to the run as a whole.
var notInFile = []string{"help", "json", "dry-run"}

// siteKeys are the keys of a site, beside the flags of import.
var siteKeys = []string{"inputs", "name", "api-key"}

// siteOnly are keys that make no sense for all sites.
var siteOnly = []string{"inputs", "name", "site"}

// entry is a site of the file, as a command that imports it.
type entry struct {
	cmd   *cobra.Command
	flags *importFlags
	args  []string
	name  string
	line  int
}

// sitesFile is a file of sites while it is read.
type sitesFile struct {
	path   string
	global *global
	lookup func(string) (string, bool) // of variables
}

// errorf is an error of a line of the file.
func (s *sitesFile) errorf(at *yaml.Node, format string, args ...any) error {
	return usagef("%s:%d: %w", s.path, at.Line, fmt.Errorf(format, args...))
}

// readSites reads the file at path.
func readSites(path string, g *global) (state string, entries []*entry, err error) {
	content, err := os.Open(path)
	if err != nil {
		return "", nil, usagef("%w", err)
	}
	defer content.Close()
	s := &sitesFile{path: path, global: g, lookup: os.LookupEnv}
	return s.read(content)
}

func (s *sitesFile) read(content io.Reader) (state string, entries []*entry, err error) {
	var document yaml.Node
	decoder := yaml.NewDecoder(content)
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return "", nil, usagef("%s: is empty; a list of sites is needed", s.path)
	case err != nil:
		return "", nil, usagef("%s: is no YAML: %s", s.path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return "", nil, usagef("%s: holds more than one document", s.path)
	}
	root := document.Content[0]
	top, err := s.mapping(root, []string{"state", "defaults", "sites"})
	if err != nil {
		return "", nil, err
	}
	if node := top["state"]; node != nil {
		if state, err = s.text(node); err != nil {
			return "", nil, err
		}
	}
	if top["sites"] == nil || top["sites"].Kind != yaml.SequenceNode || len(top["sites"].Content) == 0 {
		return "", nil, s.errorf(root, "a list of sites is needed, as sites: [{site: 1, inputs: [export.zip]}]")
	}
	for _, node := range top["sites"].Content {
		e, err := s.entry(node, top["defaults"])
		if err != nil {
			return "", nil, err
		}
		entries = append(entries, e)
	}
	return state, entries, nil
}

// entry makes a command of a site.
func (s *sitesFile) entry(node, defaults *yaml.Node) (*entry, error) {
	e := &entry{line: node.Line}
	e.cmd, e.flags = importCommand(s.global)
	all := s.keys(e.cmd)
	if defaults != nil {
		allowed := slices.DeleteFunc(slices.Clone(all), func(key string) bool { return slices.Contains(siteOnly, key) })
		if err := s.set(e, defaults, allowed); err != nil {
			return nil, err
		}
	}
	if err := s.set(e, node, all); err != nil {
		return nil, err
	}
	if len(e.args) == 0 {
		return nil, s.errorf(node, "the site has no inputs")
	}
	if e.flags.site == "" && !e.flags.sandbox {
		return nil, s.errorf(node, "the site has no key site: its number or identifier in Rybbit")
	}
	if e.name == "" {
		e.name = e.flags.site
	}
	e.flags.name = e.name
	return e, nil
}

// keys returns the keys that a site can have.
func (s *sitesFile) keys(cmd *cobra.Command) []string {
	keys := slices.Clone(siteKeys)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(notInFile, f.Name) {
			keys = append(keys, f.Name)
		}
	})
	return keys
}

// set takes over what a mapping says of a site.
func (s *sitesFile) set(e *entry, node *yaml.Node, keys []string) error {
	values, err := s.mapping(node, keys)
	if err != nil {
		return err
	}
	for _, key := range keys {
		value := values[key]
		if value == nil {
			continue
		}
		texts, err := s.texts(value)
		if err != nil {
			return err
		}
		switch {
		case key == "inputs":
			e.args = texts
			if slices.Contains(texts, "-") {
				return s.errorf(value, "inputs: standard input cannot be one of several sites'")
			}
			continue
		case len(texts) != 1 && e.cmd.Flags().Lookup(key) == nil, len(texts) == 0:
			return s.errorf(value, "%s: one value is needed", key)
		case key == "name":
			e.name = texts[0]
			continue
		case key == "api-key":
			e.flags.secret = rybbit.Key(texts[0])
			continue
		}
		flag := e.cmd.Flags().Lookup(key)
		if len(texts) > 1 && flag.Value.Type() != "stringSlice" {
			return s.errorf(value, "%s: one value is needed, not a list", key)
		}
		if err := e.cmd.Flags().Set(key, strings.Join(texts, ",")); err != nil {
			if strings.Contains(value.Value, "${") { // what it stands for may be secret
				return s.errorf(value, "%s: %q is no %s", key, value.Value, flag.Value.Type())
			}
			return s.errorf(value, "%s", strings.TrimPrefix(explainFlag(e.cmd, err).Error(), "--"))
		}
	}
	return nil
}

// mapping returns the values of a mapping by key, which must be one of keys.
func (s *sitesFile) mapping(node *yaml.Node, keys []string) (map[string]*yaml.Node, error) {
	node = resolved(node)
	if node.Kind != yaml.MappingNode {
		return nil, s.errorf(node, "keys with values are needed here, as %s", strings.Join(keys[:min(3, len(keys))], ", "))
	}
	values := make(map[string]*yaml.Node)
	for i := 0; i < len(node.Content); i += 2 {
		key := node.Content[i]
		if !slices.Contains(keys, key.Value) {
			if similar := nearestName(key.Value, keys); similar != "" {
				return nil, s.errorf(key, "unknown key %q; did you mean %s?", key.Value, similar)
			}
			return nil, s.errorf(key, "unknown key %q", key.Value)
		}
		if values[key.Value] != nil {
			return nil, s.errorf(key, "the key %s stands here twice", key.Value)
		}
		values[key.Value] = resolved(node.Content[i+1])
	}
	return values, nil
}

func resolved(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// texts returns a value, or the values of a list.
func (s *sitesFile) texts(node *yaml.Node) ([]string, error) {
	if node.Kind != yaml.SequenceNode {
		one, err := s.text(node)
		return []string{one}, err
	}
	all := make([]string, len(node.Content))
	for i, item := range node.Content {
		var err error
		if all[i], err = s.text(resolved(item)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// variable matches a variable of the environment, and $${, which stands for ${.
var variable = regexp.MustCompile(`\$\$\{|\$\{([^}]*)\}`)

// text returns a value with its variables replaced.
func (s *sitesFile) text(node *yaml.Node) (string, error) {
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		return "", s.errorf(node, "a value is needed here")
	}
	var err error
	value := variable.ReplaceAllStringFunc(node.Value, func(match string) string {
		if match == "$${" {
			return "${"
		}
		name := match[2 : len(match)-1]
		value, is := s.lookup(name)
		if !is || value == "" {
			err = errors.Join(err, s.errorf(node, "the environment has no variable %s", name))
		}
		return value
	})
	return value, err
}
