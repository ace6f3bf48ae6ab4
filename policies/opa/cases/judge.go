package cases

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/textproto"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// problems are the differences found so far.
type problems []string

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// check finds what no answer could meet.
func (w *Want) check() error {
	for place, action := range w.Masked {
		if action != "" && (action == policies.ActionShow || !slices.Contains(policies.MaskActions(), action)) {
			return fmt.Errorf("want.masked.%s: %q is not a way to mask; use one of %s",
				place, action, strings.Join(policies.MaskActions()[:len(policies.MaskActions())-1], ", "))
		}
	}
	if w.Code != "" && *w.Allow {
		return fmt.Errorf("want.code is %q, but a request that passes has no code", w.Code)
	}
	return nil
}

// judge compares the decision with what the case wants.
func (c *Case) judge(d *policies.Decision) []string {
	var p problems
	w := &c.Want
	w.judgeGrant(&p, d)
	w.judgeStepUp(&p, c.input.Subject, c.moment, d)
	w.judgeFields(&p, d)
	w.judgeBody(&p, d)
	if w.Rows != nil {
		same(&p, "rows", sorted(*w.Rows), rowTexts(d))
	}
	if w.Headers != nil {
		same(&p, "headers", canonical(*w.Headers), headerTexts(d))
	}
	if w.RateLimits != nil {
		same(&p, "rate_limits", rateTexts(*w.RateLimits), rateTexts(d.RateLimits))
	}
	if w.Region != nil {
		same(&p, "region", *w.Region, d.Region)
	}
	if w.Audit != nil {
		same(&p, "audit", *w.Audit, d.Audit)
	}
	return p
}

func (w *Want) judgeGrant(p *problems, d *policies.Decision) {
	codes := []string{}
	for _, denial := range d.Deny {
		codes = append(codes, denial.Code)
	}
	if !d.Allowed() && len(codes) == 0 {
		codes = append(codes, "forbidden")
	}
	if *w.Allow != d.Allowed() {
		p.add("allow: want %v, got %v %v", *w.Allow, d.Allowed(), codes)
		return
	}
	if w.Code != "" && !slices.Contains(codes, w.Code) {
		p.add("code: want %s, got %s", w.Code, strings.Join(codes, ", "))
	}
}

func (w *Want) judgeStepUp(p *problems, s *policies.Subject, now time.Time, d *policies.Decision) {
	if w.Require != nil && !sameRequire(*w.Require, d.Require) {
		p.add("require: want %s, got %s", text(*w.Require), text(d.Require))
	}
	if w.StepUp == nil {
		return
	}
	unmet := slices.ContainsFunc(d.Require, func(r policies.Require) bool { return !met(r, s, now) })
	same(p, "step_up", *w.StepUp, unmet)
}

// sameRequire compares without regard to order.
func sameRequire(a, b []policies.Require) bool {
	texts := func(rs []policies.Require) (out []string) {
		for _, r := range rs {
			r.AMR = sorted(r.AMR)
			out = append(out, text(r))
		}
		return sorted(out)
	}
	return slices.Equal(texts(a), texts(b))
}

// met reports whether the authentication of the caller is as r wants it. A
// moment that the token does not tell is too long ago.
func met(r policies.Require, s *policies.Subject, now time.Time) bool {
	if s == nil || r.ACR != "" && r.ACR != s.ACR {
		return false
	}
	for _, method := range r.AMR {
		if !slices.Contains(s.AMR, method) {
			return false
		}
	}
	return r.MaxAge == 0 || s.AuthTime != 0 && now.Unix()-s.AuthTime <= r.MaxAge
}

func (w *Want) judgeFields(p *problems, d *policies.Decision) {
	for _, place := range slices.Sorted(maps.Keys(w.Masked)) {
		want, got := w.Masked[place], actionAt(d, place)
		switch {
		case got == "":
			p.add("masked: %s is not masked", place)
		case want != "" && want != got:
			p.add("masked: %s: want %s, got %s", place, want, got)
		}
	}
	for _, place := range w.NotMasked {
		if got := actionAt(d, place); got != "" {
			p.add("not_masked: %s is masked by %s", place, got)
		}
	}
}

func (w *Want) judgeBody(p *problems, d *policies.Decision) {
	for _, place := range w.Protected {
		if !protectedAt(d, place) {
			p.add("protected: %s may be written", place)
		}
	}
	for _, place := range w.Writable {
		if protectedAt(d, place) {
			p.add("writable: %s may not be written", place)
		}
	}
}

// rowTexts are the row filters as a case writes them, sorted.
func rowTexts(d *policies.Decision) []string {
	out := []string{}
	if d.AllRows {
		out = append(out, "all")
	}
	for _, row := range d.Rows {
		var conditions []string
		for _, c := range row.Where {
			conditions = append(conditions, c.Text(operand))
		}
		out = append(out, row.Path+" where "+strings.Join(conditions, " and "))
	}
	return sorted(out)
}

// operand is what a condition compares with as a case writes it.
func operand(c policies.Condition) string {
	if c.Input != "" {
		return c.Input
	}
	return text(c.Value)
}

// headerTexts are the headers as a case writes them.
func headerTexts(d *policies.Decision) map[string]string {
	out := map[string]string{}
	for name, v := range d.Headers {
		out[name] = v.Input
		if v.Input == "" {
			out[name] = text(v.Text)
		}
	}
	return out
}

// canonical spells header names as decisions do.
func canonical(headers map[string]string) map[string]string {
	out := map[string]string{}
	for name, v := range headers {
		out[textproto.CanonicalMIMEHeaderKey(name)] = v
	}
	return out
}

func same(p *problems, what string, want, got any) {
	if !reflect.DeepEqual(want, got) {
		p.add("%s: want %s, got %s", what, text(want), text(got))
	}
}

func sorted(list []string) []string {
	out := append([]string{}, list...)
	slices.Sort(out)
	return out
}

// text is a value as JSON, which is how a case would write it.
func text(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(b.String())
}

func rateTexts(rates map[string]policies.Rate) map[string]string {
	out := map[string]string{}
	for name, r := range rates {
		out[name] = r.String()
	}
	return out
}
