package sanitize

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
)

// Looking for SQL has a bound for the whole body, or ten megabytes of hash signs
// would keep a processor busy for seconds.
func TestTooMuchToLookInto(t *testing.T) {
	doc, _ := json.Marshal([]string{strings.Repeat("# ", maxSQL/4), "1' OR '1'='1", strings.Repeat("# ", maxSQL/4), "plain words, passing", "1' OR '1'='1"})
	j := newJudge(t, config.Sanitize{})
	if out, err := rewriteJSON(doc, nil, j); err != nil || string(out) != string(doc) {
		t.Errorf("report: %v", err)
	}
	want := map[string][]string{"sanitize_sql_injection": {"/1"}, "sanitize_sql_unread": {"/2", "/4"}}
	if d := cmp.Diff(want, j.found); d != "" {
		t.Error(d)
	}
	doc, _ = json.Marshal([]string{strings.Repeat("# ", maxSQL/2+1)})
	j = newJudge(t, config.Sanitize{SQLInjection: reject})
	if _, err := rewriteJSON(doc, nil, j); err == nil || err.Error() != "the field /0 is too long to be looked into" {
		t.Errorf("reject: %v", err)
	}
	if _, err := rewriteJSON(doc, nil, newJudge(t, config.Sanitize{SQLInjection: off})); err != nil {
		t.Errorf("off: %v", err)
	}
}

// Names are looked into as texts are, and count towards the same bound.
func TestTooManyNamesToLookInto(t *testing.T) {
	doc, _ := json.Marshal(map[string]int{strings.Repeat("# ", maxSQL/2+1): 1})
	j := newJudge(t, config.Sanitize{})
	if _, err := rewriteJSON(doc, nil, j); err != nil {
		t.Errorf("report: %v", err)
	}
	if d := cmp.Diff(map[string][]string{"sanitize_sql_unread": {"/"}}, j.found); d != "" {
		t.Error(d)
	}
	j = newJudge(t, config.Sanitize{SQLInjection: reject})
	if _, err := rewriteJSON(doc, nil, j); err == nil || !strings.HasSuffix(err.Error(), "is too long to be looked into") {
		t.Errorf("reject: %v", err)
	}
}
