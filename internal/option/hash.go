package option

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
)

// Hash tells whether two sets of options ask for the same thing. Only values that differ from their
// default count, so that an option added in a later release leaves earlier hashes alone; the order of
// formats, filters and languages does not count; nor does the password.
func (o Options) Hash() [sha256.Size]byte {
	mine, defaults := o.values(), Default().values()
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(mine)) {
		if bytes.Equal(mine[name], defaults[name]) {
			continue
		}
		// Neither part can hold a newline: names are ours, and JSON escapes it.
		h.Write([]byte(name + "="))
		h.Write(mine[name])
		h.Write([]byte("\n"))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// values gives every option's JSON by its name, sets sorted.
func (o Options) values() map[string]json.RawMessage {
	o.Format = slices.Sorted(slices.Values(o.Format))
	o.ContentSafetyOff = slices.Sorted(slices.Values(o.ContentSafetyOff))
	o.OCRLanguages = slices.Sorted(slices.Values(o.OCRLanguages))
	raw, err := json.Marshal(o)
	if err != nil {
		panic("option: Options does not marshal: " + err.Error()) // only strings, bools and numbers
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		panic("option: Options does not unmarshal: " + err.Error())
	}
	return values
}
