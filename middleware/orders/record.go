package orders

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxRecord bounds a record in bytes. No order that may be given comes near.
const maxRecord = 64 << 10

// liftKept is how long the lift of a lockdown without an end is remembered: for
// so long a replica may be away and not bring it back.
const liftKept = 365 * 24 * time.Hour

// lift is the end of an order before its time. It is kept as long as the order
// could be anywhere, for a replica that was away must not bring it back.
type lift struct {
	ID     string    `json:"id"` // of the order
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`
}

// record is what Redis and the file keep: an order or a lift.
type record struct {
	Order *Order `json:"order,omitempty"`
	Lift  *lift  `json:"lift,omitempty"`
}

// encode writes a record as one line.
func (r record) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return nil, err
	}
	if b.Len() > maxRecord {
		return nil, fmt.Errorf("it has more than %d bytes", maxRecord)
	}
	return b.Bytes(), nil
}

// decode reads a record and believes nothing: whoever may write to Redis or to
// the file may write anything.
func decode(line []byte) (record, error) {
	if len(line) > maxRecord {
		return record{}, fmt.Errorf("it has more than %d bytes", maxRecord)
	}
	var r record
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return record{}, errors.New("it is not the JSON of an order") // the decoder's words quote values
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return record{}, errors.New("something follows the order")
	}
	return r, r.check()
}

func (r record) check() error {
	switch {
	case (r.Order == nil) == (r.Lift == nil):
		return errors.New("it is neither an order nor a lift")
	case r.Order != nil:
		return checkKept(r.Order)
	case !sane(r.Lift.At) || !sane(r.Lift.Until) || r.Lift.At.IsZero() || r.Lift.Until.IsZero():
		return errors.New("the lift lacks a time")
	}
	if err := checkText("by", r.Lift.By, maxName); err != nil {
		return err
	}
	if err := checkText("reason", r.Lift.Reason, maxValue); err != nil {
		return err
	}
	return checkID(r.Lift.ID)
}

// checkKept checks an order that was given before.
func checkKept(o *Order) error {
	if err := checkID(o.ID); err != nil {
		return err
	}
	switch {
	case o.At.IsZero():
		return errors.New("at is missing")
	case o.Kind == Revocation && o.Until.IsZero():
		return errors.New("a revocation must have an end")
	case o.Kind == Revocation && o.IssuedBefore.IsZero() && (o.Subject != "" || o.Tenant != ""):
		return errors.New("issued_before is missing")
	case !o.Ends.IsZero() && o.Until.IsZero():
		return errors.New("a block that ends must be forgotten one day")
	case o.Level > maxLevel:
		return fmt.Errorf("level is more than %d", maxLevel)
	}
	return o.wellFormed()
}

func checkID(id string) error {
	if id == "" || len(id) > 64 {
		return errors.New("the id must have 1 to 64 characters")
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return errors.New("the id has other characters than letters, digits, - and _")
		}
	}
	return nil
}
