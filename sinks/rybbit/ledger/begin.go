package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// The first record of a ledger can name hundreds of thousands of inputs. It is written
// and read one of them at a time.

// encode writes the record as [json.Marshal] does.
func (r record) encode(w io.Writer) error {
	var inputs []InputID
	var units []Unit
	if r.Migration != nil {
		// One that is empty stands where all of them belong. No text can be taken for
		// it, since quotes in texts are escaped.
		around := *r.Migration
		r.Migration = &around
		if inputs = around.Inputs; len(inputs) > 0 {
			around.Inputs = []InputID{{}}
		}
		if units = around.Units; len(units) > 0 {
			around.Units = []Unit{{}}
		}
	}
	text, err := json.Marshal(r)
	if err == nil {
		text, err = writeEach(w, text, inputs)
	}
	if err == nil {
		text, err = writeEach(w, text, units)
	}
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// writeEach writes text up to the element that is empty, and elements in its place. It
// returns the rest of text.
func writeEach[T any](w io.Writer, text []byte, elements []T) (rest []byte, err error) {
	if len(elements) == 0 {
		return text, nil
	}
	empty, err := json.Marshal(*new(T))
	if err != nil {
		return nil, err
	}
	next, rest, _ := bytes.Cut(text, empty)
	var line bytes.Buffer // one for all, since each would be garbage at the time that takes most memory
	encoder := json.NewEncoder(&line)
	for i := range elements {
		line.Reset()
		line.Write(next)
		if err := encoder.Encode(&elements[i]); err != nil {
			return nil, err
		}
		if _, err := w.Write(bytes.TrimSuffix(line.Bytes(), []byte("\n"))); err != nil {
			return nil, err
		}
		next = []byte(",")
	}
	return rest, nil
}

// decodeFirst is decode for the first line of a ledger, but for the migration's inputs
// and units, which go to take and part.
func decodeFirst(line io.Reader, take func(InputID), part func(Unit)) (Step, time.Time, error) {
	var r record
	d := json.NewDecoder(line)
	err := members(d, &r, map[string]func() error{"migration": func() error {
		r.Migration = new(Migration)
		return members(d, r.Migration, map[string]func() error{
			"inputs": func() error { return list(d, take) },
			"units":  func() error { return list(d, part) },
		})
	}})
	if err == nil {
		if _, err := d.Token(); err != io.EOF {
			return nil, time.Time{}, fmt.Errorf("something follows the record: %w", err)
		}
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	step, err := r.step()
	return step, r.At, err
}

// members reads an object. Those of its members that have a reader are left to that;
// the others become what object points to.
func members(d *json.Decoder, object any, readers map[string]func() error) error {
	if err := expect(d, json.Delim('{')); err != nil {
		return err
	}
	others := make(map[string]json.RawMessage)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		key := name.(string)
		if read := readers[key]; read != nil {
			err = read()
		} else {
			var value json.RawMessage
			err = d.Decode(&value)
			others[key] = value
		}
		if err != nil {
			return err
		}
	}
	if err := expect(d, json.Delim('}')); err != nil {
		return err
	}
	text, err := json.Marshal(others)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, object)
}

// list reads an array, or null.
func list[T any](d *json.Decoder, take func(T)) error {
	token, err := d.Token()
	if err != nil || token == nil {
		return err
	}
	if token != json.Delim('[') {
		return fmt.Errorf("%v where a list was expected", token)
	}
	for d.More() {
		var element T
		if err := d.Decode(&element); err != nil {
			return err
		}
		take(element)
	}
	return expect(d, json.Delim(']'))
}

func expect(d *json.Decoder, delim json.Delim) error {
	token, err := d.Token()
	if err == nil && token != delim {
		err = fmt.Errorf("%v where %v was expected", token, delim)
	}
	return err
}
