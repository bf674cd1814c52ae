package ga

import (
	"strconv"
	"strings"

	"hopper/adapters/input/rows/record"
	"hopper/pipeline"
)

// A row is a GA4 event as its exports tell it, whatever their form.
type row struct {
	at    pipeline.Origin
	input int // index of the input, which orders events of different ones
	raw   string
	// validUTF8 says that all texts but properties' are valid UTF-8, scanned that all
	// are parts of raw.
	validUTF8, scanned bool

	date, name string
	automatic  string // the reason to leave out an event of that name, if any
	// isBrief says that nothing is read of the parameters of an event that is left out,
	// but for its session.
	isBrief bool
	time    string // as written
	user    string // user_id
	pseudo  string // user_pseudo_id
	session string // ga_session_id

	location, path, title, referrer string // path is of exports without the location
	device                          device
	browserVersion, language        string
	hostname                        string
	country, region, city           string
	platform, stream, app           string
	property                        string // of Google Analytics, whose the event is
	screen                          string // of an app

	collected traffic // collected_traffic_source
	params    traffic // what the event's parameters say of the same

	linkURL, linkDomain, linkText string
	outbound                      bool

	properties     []pipeline.Property
	facts          []pipeline.Property // of a purchase, which parameters can repeat
	userProperties []pipeline.Property
	items          *record.Value
	itemsText      string // as JSON, where they need not be put together

	// bundle, page, order and index tell an event from a repetition of it.
	bundle, page, order, index string

	// Space for what is made of the above.
	ids, products []byte
}

func (r *row) reset() {
	properties, facts, userProperties, ids, products := r.properties[:0], r.facts[:0], r.userProperties[:0], r.ids, r.products
	*r = row{} // in place, where a literal with fields is copied
	r.properties, r.facts, r.userProperties, r.ids, r.products = properties, facts, userProperties, ids, products
}

// A setter takes a column's text.
type setter func(*row, string)

// An eventField is what is made of a column's text, where of is not nil, and where it goes.
type eventField struct {
	of  func(string) string
	set setter
}

// eventFields are those of the BigQuery schema that are not repeated, by path.
var eventFields = map[string]eventField{
	"event_date":                {nil, func(r *row, s string) { r.date = s }},
	"event_timestamp":           {nil, func(r *row, s string) { r.time = s }},
	"event_name":                {nil, func(r *row, s string) { r.name, r.automatic = s, automatic[s] }},
	"event_bundle_sequence_id":  {nil, func(r *row, s string) { r.bundle = s }},
	"batch_page_id":             {nil, func(r *row, s string) { r.page = s }},
	"batch_ordering_id":         {nil, func(r *row, s string) { r.order = s }},
	"batch_event_index":         {nil, func(r *row, s string) { r.index = s }},
	"user_id":                   {clean, func(r *row, s string) { r.user = s }},
	"user_pseudo_id":            {clean, func(r *row, s string) { r.pseudo = s }},
	"stream_id":                 {nil, func(r *row, s string) { r.stream = s }},
	"property_id":               {propertyName, func(r *row, s string) { r.property = s }},
	"platform":                  {nil, func(r *row, s string) { r.platform = s }},
	"device.category":           {clean, func(r *row, s string) { r.device.category = s }},
	"device.mobile_brand_name":  {nil, func(r *row, s string) { r.device.brand = s }},
	"device.mobile_model_name":  {nil, func(r *row, s string) { r.device.model = s }},
	"device.operating_system":   {nil, func(r *row, s string) { r.device.os = s }},
	"device.language":           {clean, func(r *row, s string) { r.language = s }},
	"device.browser":            {clean, func(r *row, s string) { r.setBrowser(s) }},
	"device.browser_version":    {clean, func(r *row, s string) { r.setBrowserVersion(s) }},
	"geo.country":               {clean, func(r *row, s string) { r.country = s }},
	"geo.region":                {clean, func(r *row, s string) { r.region = s }},
	"geo.city":                  {clean, func(r *row, s string) { r.city = s }},
	"app_info.id":               {clean, func(r *row, s string) { r.app = s }},
	"event_dimensions.hostname": {clean, func(r *row, s string) { r.setHostname(s) }},

	"device.operating_system_version": {nil, func(r *row, s string) { r.device.osVersion = s }},
	"device.web_info.browser":         {clean, func(r *row, s string) { r.setBrowser(s) }},
	"device.web_info.browser_version": {clean, func(r *row, s string) { r.setBrowserVersion(s) }},
	"device.web_info.hostname":        {clean, func(r *row, s string) { r.setHostname(s) }},

	"collected_traffic_source.manual_campaign_id":   {nil, func(r *row, s string) { r.collected.campaignID = s }},
	"collected_traffic_source.manual_campaign_name": {nil, func(r *row, s string) { r.collected.campaign = s }},
	"collected_traffic_source.manual_source":        {nil, func(r *row, s string) { r.collected.source = s }},
	"collected_traffic_source.manual_medium":        {nil, func(r *row, s string) { r.collected.medium = s }},
	"collected_traffic_source.manual_term":          {nil, func(r *row, s string) { r.collected.term = s }},
	"collected_traffic_source.manual_content":       {nil, func(r *row, s string) { r.collected.content = s }},
	"collected_traffic_source.gclid":                {nil, func(r *row, s string) { r.collected.gclid = s }},
	"collected_traffic_source.dclid":                {nil, func(r *row, s string) { r.collected.dclid = s }},
	"collected_traffic_source.srsltid":              {nil, func(r *row, s string) { r.collected.srsltid = s }},

	"ecommerce.transaction_id":      {clean, func(r *row, s string) { r.fact("transaction_id", s, false) }},
	"ecommerce.purchase_revenue":    {nil, func(r *row, s string) { r.fact("purchase_revenue", s, true) }},
	"ecommerce.refund_value":        {nil, func(r *row, s string) { r.fact("refund_value", s, true) }},
	"ecommerce.shipping_value":      {nil, func(r *row, s string) { r.fact("shipping_value", s, true) }},
	"ecommerce.tax_value":           {nil, func(r *row, s string) { r.fact("tax_value", s, true) }},
	"ecommerce.total_item_quantity": {nil, func(r *row, s string) { r.fact("total_item_quantity", s, true) }},
}

func propertyName(s string) string { return strings.TrimPrefix(clean(s), "properties/") }

// columns are the setters of eventFields, for texts as they are written.
var columns = func() map[string]setter {
	setters := make(map[string]setter, len(eventFields))
	for path, f := range eventFields {
		setters[path] = f.set
		if f.of != nil {
			setters[path] = func(r *row, s string) { f.set(r, f.of(s)) }
		}
	}
	return setters
}()

// nested are the columns of the schema's groups, by group and member.
var nested = func() map[string]map[string]setter {
	groups := make(map[string]map[string]setter)
	for path, set := range columns {
		if i := strings.LastIndexByte(path, '.'); i >= 0 {
			group := groups[path[:i]]
			if group == nil {
				group = make(map[string]setter)
				groups[path[:i]] = group
			}
			group[path[i+1:]] = set
		}
	}
	return groups
}()

// needless are fields of the schema that say nothing that an event of Rybbit
// could hold, or that repeat what others say. The first touch of a visitor
// (traffic_source) and the session's attribution to an earlier click
// (session_traffic_source_last_click) are not where this visit came from.
var needless = map[string]bool{
	"event_previous_timestamp": true, "event_value_in_usd": true, "event_server_timestamp_offset": true,
	"privacy_info": true, "user_first_touch_timestamp": true, "user_ltv": true,
	"device.mobile_marketing_name": true, "device.mobile_os_hardware_model": true, "device.vendor_id": true,
	"device.advertising_id": true, "device.is_limited_ad_tracking": true, "device.time_zone_offset_seconds": true,
	"geo.continent": true, "geo.sub_continent": true, "geo.metro": true,
	"app_info.version": true, "app_info.install_store": true, "app_info.firebase_app_id": true, "app_info.install_source": true,
	"traffic_source": true, "session_traffic_source_last_click": true, "is_active_user": true, "publisher": true,
	"cross_channel_campaign": true,
}

// wantedOfGA4 says which columns of the BigQuery schema are read.
func wantedOfGA4(path string) bool { return !needless[path] }

func (r *row) setBrowser(s string) {
	if s != "" {
		r.device.browser = s
	}
}

func (r *row) setBrowserVersion(s string) {
	if s != "" {
		r.browserVersion = s
	}
}

func (r *row) setHostname(s string) {
	if s != "" {
		r.hostname = s
	}
}

// fact takes a fact of a purchase, unless it says nothing.
func (r *row) fact(key, text string, isNumber bool) {
	if text == "" {
		return
	}
	if isNumber {
		if f, err := strconv.ParseFloat(text, 64); err == nil && f == 0 {
			return
		}
	}
	r.facts = append(r.facts, property(key, text, isNumber))
}

// A layout remembers what the members of records are, which are mostly the same
// in the same order. It is for one goroutine.
type layout struct {
	flat  map[string]setter // columns that are not the schema's, by name
	group string            // path of the group whose members these are, or ""
	known map[string]*place
	first *place // the member that probably comes first
	// places counts what is remembered, here and in groups, where it is not nil.
	places *int

	params, properties paramLayout // of event_params and user_properties
}

// A place is where a member's value belongs.
type place struct {
	key      string  // as written
	column   string  // as the schema has it
	path     string  // with the group, among eventFields if it is one of them
	isGroup  bool    // a record or a list in the schema
	skipped  bool    // a group that says nothing
	isUnread bool    // a member of a record that is not read at all
	set      setter  // of text; may be nil within a group
	members  *layout // of a group
	next     *place  // the member that probably follows

	// What a scan remembers: whether text is taken as it stands, how the member was
	// written last, behind another and first, and what its value was.
	takesText                 bool
	writtenNext, writtenFirst string
	repeated                  record.Repeated
	params                    *paramLayout
}

// maxPlaces bounds what a layout remembers: names can be data.
const maxPlaces = 1000

// find returns the place of a member that stands behind another, or first where
// after is nil.
func (l *layout) find(after *place, key string) *place {
	guess := &l.first
	if after != nil {
		guess = &after.next
	}
	if p := *guess; p != nil && p.key == key {
		return p
	}
	p := l.known[key]
	if p == nil {
		if p = l.place(strings.Clone(key)); l.places != nil {
			*l.places++
		}
		if len(l.known) < maxPlaces {
			if l.known == nil {
				l.known = make(map[string]*place)
			}
			l.known[p.key] = p
		}
	}
	*guess = p
	return p
}

// place finds out what a member of that name is.
func (l *layout) place(key string) *place {
	p := &place{key: key, column: key}
	if l.group != "" {
		p.column, p.takesText = columnOf(key), true
		p.members = &layout{group: l.group + "." + p.column, places: l.places}
		p.path = l.group + "." + key
		if p.set = columns[p.path]; p.set == nil {
			p.path = l.group + "." + p.column
			p.set = columns[p.path]
		}
		return p
	}
	if _, known := l.flat[key]; !known || strings.ContainsAny(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		p.column = columnOf(key) // as the schema has it: Snowflake and Redshift write capitals
	}
	p.isGroup, p.skipped = isGroup(p.column), needless[p.column]
	p.isUnread = !wantedOfGA4(key)
	p.takesText = !p.isUnread && !p.isGroup && !p.isParams()
	p.path, p.members = p.column, &layout{group: p.column, places: l.places}
	switch p.column {
	case "event_params":
		l.params.of, l.params.set = paramOf, (*row).setParam
		p.params = &l.params
	case "user_properties":
		l.properties.of, l.properties.set = userPropertyOf, (*row).setUserProperty
		p.params = &l.properties
	}
	if p.set = columns[p.column]; p.set == nil {
		p.set = l.flat[key]
	}
	if p.set == nil { // not in the first record
		p.set = setterOf(p.column)
	}
	return p
}

// record fills r from a record of the BigQuery schema, or a flat one.
func (r *row) record(root *record.Value, l *layout) {
	var p *place
	for i := range root.Kids {
		field := &root.Kids[i]
		p = l.find(p, field.Key)
		r.field(p, field)
	}
}

// isParams reports whether parameters stand there under another name than the
// schema's, unless it is text.
func (p *place) isParams() bool {
	return p.column == "params" || p.column == "parameters" || p.column == "event_parameters"
}

// field takes a member of a record.
func (r *row) field(p *place, field *record.Value) {
	if field.Kind == record.Text && p.isGroup {
		if v, ok := parseNested(field.Text); ok {
			field = v
		}
	}
	switch key := p.column; {
	case key == "event_params", p.isParams() && field.Kind != record.Text:
		r.eachParam(field, (*row).param)
	case key == "user_properties":
		r.eachParam(field, (*row).userProperty)
	case key == "items":
		r.setItems(field)
	case field.Kind == record.Object:
		if !p.skipped {
			r.group(p.members, field)
		}
	case field.Kind == record.Bool, field.Kind == record.Number, field.Kind == record.Text:
		if field.Text != "" {
			p.set(r, field.Text)
		}
	}
}

func (r *row) group(l *layout, group *record.Value) {
	var p *place
	for i := range group.Kids {
		field := &group.Kids[i]
		p = l.find(p, field.Key)
		switch {
		case field.Kind == record.Object:
			r.group(p.members, field)
		case p.set != nil && field.Text != "":
			p.set(r, field.Text)
		}
	}
}

// isGroup reports whether a column of that name is a record or a list in the
// schema.
func isGroup(column string) bool {
	switch column {
	case "event_params", "user_properties", "items", "privacy_info", "user_ltv", "traffic_source", "session_traffic_source_last_click", "publisher", "app_info":
		return true
	}
	return nested[column] != nil
}

// eachParam calls set for what a list of parameters holds: the schema's
// repeated key and value, the same as JSON text in a cell, or an object of
// names and values.
func (r *row) eachParam(list *record.Value, set func(r *row, key, text string, isNumber bool)) {
	if list.Kind == record.Text {
		parsed, ok := parseNested(list.Text)
		if !ok {
			return
		}
		list = parsed
	}
	elements := list.Elements()
	for i := range elements {
		e := &elements[i]
		key, value := e.Get("key").String(), e.Get("value")
		if key == "" {
			key, value = otherKey(e)
		}
		if key == "" {
			continue
		}
		if value == nil {
			value = e // {"key": …, "string_value": …}
		}
		text, isNumber := paramValue(value)
		set(r, key, text, isNumber)
	}
	if elements == nil && list.Kind == record.Object {
		for i := range list.Kids {
			text, isNumber := paramValue(&list.Kids[i])
			set(r, list.Kids[i].Key, text, isNumber)
		}
	}
}

// otherKey returns the key and the value of a parameter whose members are called
// otherwise than in the schema, as warehouses and programs do.
func otherKey(e *record.Value) (key string, value *record.Value) {
	for i := range e.Kids {
		switch kid := &e.Kids[i]; columnOf(kid.Key) {
		case "key", "name", "param_key", "param_name", "k":
			key = kid.Text
		case "value", "param_value", "v":
			value = kid
		}
	}
	return key, value
}

// paramValue reads a parameter's value: the schema's group of one member for
// each type, all but one of them null, or the bare value that some tools write.
func paramValue(v *record.Value) (text string, isNumber bool) {
	if v.Kind != record.Object {
		return paramText(v.Kind, v.Text)
	}
	for i := range v.Kids {
		kid := &v.Kids[i]
		if isBesideValue(kid.Key) {
			continue
		}
		if text, isNumber = paramValue(kid); text != "" {
			return text, isNumber || isTyped(kid.Key)
		}
	}
	return "", false
}

// paramText is paramValue of a bare value.
func paramText(kind record.Kind, text string) (_ string, isNumber bool) {
	switch kind {
	case record.Number:
		return text, true
	case record.Bool:
		return text, false
	case record.Text:
		switch text {
		case "string_value", "int_value", "float_value", "double_value":
			return "", false // a tool that wrote the type's name for the value
		}
		return text, false
	}
	return "", false
}

// isBesideValue reports whether a member of that name says nothing of the value
// beside it.
func isBesideValue(name string) bool {
	switch name {
	case "key", "set_timestamp_micros", "name", "KEY", "NAME", "Key", "Name":
		return true
	}
	return false
}

// isTyped reports whether a member of that name holds a number.
func isTyped(name string) bool {
	switch name {
	case "string_value":
		return false
	case "int_value", "float_value", "double_value":
		return true
	}
	for _, prefix := range [...]string{"int", "float", "double", "INT", "FLOAT", "DOUBLE", "Int", "Float", "Double"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
