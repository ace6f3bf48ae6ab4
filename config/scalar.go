package config

import (
	"encoding"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// scalar reads one value, which is never a mapping or a list.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, r rules, path string) {
	what := expected(v)
	if !d.expect(n, yaml.ScalarNode, what, path) {
		return
	}
	text, ok := d.text(n, path)
	if !ok {
		return
	}
	// A quoted "5" is text; "${N}" is whatever N is.
	literal := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 &&
		text == n.Value
	switch v.Kind() {
	case reflect.Bool, reflect.Int, reflect.Float64:
		if _, custom := v.Addr().Interface().(encoding.TextUnmarshaler); !custom && literal {
			d.unreadable(path, markOf(n), "expected %s, found text", what)
			return
		}
	}
	if err := assign(v, text); err != nil {
		d.unreadable(path, markOf(n), "%s", err)
		return
	}
	d.judge(v, text, r, path)
}

// text gives the expanded text of a scalar.
func (d *decoder) text(n *yaml.Node, path string) (string, bool) {
	if n.ShortTag() == "!!null" {
		d.unreadable(path, markOf(n), "there is no value here; write one or leave the key out")
		return "", false
	}
	text, err := d.expand(n.Value)
	if err != nil {
		d.unreadable(path, markOf(n), "%s", err)
		return "", false
	}
	return text, true
}

// expected says what a field wants.
func expected(v reflect.Value) string {
	switch v.Interface().(type) {
	case Duration:
		return "a duration"
	case Size:
		return "a size"
	case Rate:
		return "a rate"
	case netip.Prefix:
		return "a network"
	}
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	}
	return "text"
}

// assign sets v to what text says. It leaves v alone where that is nothing.
func assign(v reflect.Value, text string) error {
	if p, ok := v.Addr().Interface().(*netip.Prefix); ok {
		return assignNetwork(p, text)
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	wrong := fmt.Errorf("expected %s, found %q", expected(v), text)
	switch v.Kind() {
	case reflect.Bool:
		if text != "true" && text != "false" {
			return wrong
		}
		v.SetBool(text == "true")
	case reflect.Int:
		// YAML 1.1 reads 010 as eight and YAML 1.2 as ten: better ask.
		i, err := strconv.Atoi(text)
		if err != nil || strconv.Itoa(i) != text {
			return wrong
		}
		v.SetInt(int64(i))
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return wrong
		}
		v.SetFloat(f)
	default:
		v.SetString(text)
	}
	return nil
}

// assignNetwork reads a network, or an address as the network of it alone. Each
// has one spelling, in which clients are compared with it: a network that no
// client could ever be in would be a rule that does nothing.
func assignNetwork(p *netip.Prefix, text string) error {
	v, err := netip.ParsePrefix(text)
	if a, lone := netip.ParseAddr(text); err != nil && lone == nil && a.Zone() == "" {
		v, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a network; write it like 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32", text)
	case v != v.Masked():
		return fmt.Errorf("%q is an address in a network; the network is %q", text, v.Masked())
	case v.Addr().Is4In6():
		plain := netip.PrefixFrom(v.Addr().Unmap(), v.Bits()-96)
		return fmt.Errorf("%q is IPv4 written as IPv6; the network is %q", text, plain)
	}
	*p = v
	return nil
}

// judge holds a value against the rules of its field.
func (d *decoder) judge(v reflect.Value, text string, r rules, path string) {
	if r.positive && (v.CanInt() && v.Int() <= 0 || v.CanFloat() && v.Float() <= 0) {
		d.unreadable(path, d.closest(path), "%s must be more than 0", r.key)
	}
	if len(r.oneof) > 0 && !slices.Contains(r.oneof, text) {
		if why := refused(r.key, text); why != "" {
			d.unreadable(path, d.closest(path), "%q %s", text, why)
		} else {
			d.unreadable(path, d.closest(path), "unknown %s %q%s", r.key, text, instead(text, r.oneof))
		}
	}
	if r.path != "" && text != "" {
		d.path(v, text, r.path, path)
	}
}

// path makes the path in v absolute and looks whether it is there.
func (d *decoder) path(v reflect.Value, text, kind, path string) {
	if kind == "output" && (text == "stdout" || text == "stderr") || kind == "source" && strings.Contains(text, "://") {
		return
	}
	full := d.absolute(text)
	v.SetString(full)
	switch kind {
	case "file":
		if err := readable(full); err != nil {
			d.unreadable(path, d.closest(path), "file %q %s", text, reasonOf(err))
			return
		}
		d.refer(full)
	case "source": // it may come and go
		d.refer(full)
	case "folder":
		d.folderExists(full, text, path)
	case "output":
		d.folderExists(filepath.Dir(full), filepath.Dir(text), path)
	}
}

func (d *decoder) folderExists(full, text, path string) {
	info, err := os.Stat(full)
	switch {
	case err != nil:
		d.unreadable(path, d.closest(path), "folder %q %s", text, reasonOf(err))
	case !info.IsDir():
		d.unreadable(path, d.closest(path), "%q is not a folder", text)
	}
}
