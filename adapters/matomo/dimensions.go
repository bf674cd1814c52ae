package matomo

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hopper/adapters/input/rows"
	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// maxDimensions is how many custom dimensions, and how many custom variables, are
// read of a table in a live database. Matomo makes 5 of each; a command adds more.
const maxDimensions = 50

// dimensionColumns are the columns of custom dimensions and variables, as the tables
// log_visit and log_link_visit_action may have them.
func dimensionColumns() (columns []string) {
	for i := range maxDimensions {
		n := strconv.Itoa(i + 1)
		columns = append(columns, "custom_dimension_"+n, "custom_var_k"+n, "custom_var_v"+n)
	}
	return columns
}

// The columns of dimensions and variables: of the tables, and of the visits log.
var (
	dimensionColumn = regexp.MustCompile(`^(?:custom_dimension_|dimension)(\d+)$`)
	variableColumn  = regexp.MustCompile(`^(custom_var_|custom_variables_\d+_custom_variable_(?:page_)?)(v|value_?)(\d+)$`)
)

// isAttribute reports whether a column belongs to a dimension or a variable.
func isAttribute(column string) bool {
	return dimensionColumn.MatchString(column) || strings.HasPrefix(column, "custom_var_")
}

// attributeColumns returns the columns of attributes that any of tables has.
func attributeColumns(tables []*rows.Table) (columns []string) {
	for _, t := range tables {
		for _, column := range t.Columns {
			if isAttribute(column) && !slices.Contains(columns, column) {
				columns = append(columns, column)
			}
		}
	}
	return columns
}

// findAttributes sets which attributes visits and actions have.
func (s *source) findAttributes(ctx context.Context, tables []*rows.Table) error {
	names, err := readDimensions(ctx, tables)
	if err != nil {
		return err
	}
	named := func(scope string) func(string) string {
		return func(number string) string { return names[dimensionOf{s.site, scope, number}] }
	}
	s.attributes = attributesOf(s.moreColumns, named("visit"))
	for _, t := range s.tables {
		t.attributes = attributesOf(t.Columns, named("action"))
	}
	return nil
}

// attribute is a custom dimension or variable: its name, or the position of the
// column that has it, and the position of its value.
type attribute struct {
	name       string
	key, value int
}

// attributesOf finds the attributes among columns. Named returns what a dimension is
// called, or "" for its column's name.
func attributesOf(columns []string, named func(number string) string) (list []attribute) {
	for i, column := range columns {
		if m := dimensionColumn.FindStringSubmatch(column); m != nil {
			name := named(m[1])
			if name == "" {
				name = column
			}
			list = append(list, attribute{name: name, key: -1, value: i})
			continue
		}
		if m := variableColumn.FindStringSubmatch(column); m != nil {
			name := strings.Replace(strings.Replace(m[2], "value", "name", 1), "v", "k", 1)
			if key := slices.Index(columns, m[1]+name+m[3]); key >= 0 {
				list = append(list, attribute{key: key, value: i})
			}
		}
	}
	return list
}

// unnamed is for dimensions whose names are not known.
func unnamed(string) string { return "" }

// propertiesOf returns the attributes that have a value.
func propertiesOf(list []attribute, cell func(int) string) (properties []pipeline.Property) {
	for _, a := range list {
		value := cell(a.value)
		if value == "" {
			continue
		}
		name := a.name
		if a.key >= 0 {
			name = cell(a.key)
		}
		if name != "" {
			properties = append(properties, pipeline.Property{Key: name, Value: value})
		}
	}
	return properties
}

// describe adds attributes of a scope, which is "action" or "visit", to an event's
// properties. Of two with one name the later has its scope behind it.
func describe(ev *pipeline.Event, attributes []pipeline.Property, scope string) {
	for _, p := range attributes {
		if slices.ContainsFunc(ev.Properties, func(known pipeline.Property) bool { return known.Key == p.Key }) {
			p.Key += " (" + scope + ")"
		}
		ev.Properties = append(ev.Properties, p)
	}
}

// dimensionOf finds a dimension's name; dimensions are numbered within a site and a
// scope.
type dimensionOf struct{ site, scope, number string }

// readDimensions returns the names of the table custom_dimensions.
func readDimensions(ctx context.Context, tables []*rows.Table) (map[dimensionOf]string, error) {
	return readNames(ctx, tables, func(cell func(column string) string) dimensionOf {
		return dimensionOf{cell("idsite"), cell("scope"), cell("index")}
	})
}

// loggedAttributes returns the dimensions and variables of a visit or an action that
// the visits log has as JSON.
func loggedAttributes(v *record.Value) (properties []pipeline.Property) {
	for i := range v.Kids {
		kid := &v.Kids[i]
		switch {
		case dimensionColumn.MatchString(kid.Key):
			if text := kid.String(); text != "" {
				properties = append(properties, pipeline.Property{Key: kid.Key, Value: text})
			}
		case kid.Key == "customVariables":
			properties = append(properties, variables(kid)...)
		}
	}
	return properties
}

// variables returns custom variables: by number, an object with a name and a value.
func variables(list *record.Value) (properties []pipeline.Property) {
	for i := range list.Kids {
		var p pipeline.Property
		for j := range list.Kids[i].Kids {
			switch kid := &list.Kids[i].Kids[j]; {
			case strings.Contains(kid.Key, "Name"):
				p.Key = kid.String()
			case strings.Contains(kid.Key, "Value"):
				p.Value = kid.String()
			}
		}
		if p.Key != "" && p.Value != "" {
			properties = append(properties, p)
		}
	}
	return properties
}
