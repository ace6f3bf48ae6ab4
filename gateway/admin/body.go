package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/authn"
)

// maxBody is the largest body of a request that is read, in bytes.
const maxBody = 64 << 10

// wrong is what is wrong with a request, for whoever sent it.
type wrong struct {
	status int
	text   string
}

func (e *wrong) Error() string { return e.text }

// read reads the body of a request into v: one JSON object with no member twice
// and none but those that are known. It must say that it is JSON, which a form
// of another site cannot.
func read(w http.ResponseWriter, r *http.Request, known []string, v any) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" || r.Header.Get("Content-Encoding") != "" {
		return &wrong{http.StatusUnsupportedMediaType, "the body must be JSON, with Content-Type: application/json"}
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return &wrong{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody)}
		}
		return &wrong{http.StatusBadRequest, "the body broke off"}
	}
	members, err := authn.Claims(data)
	if err != nil {
		return &wrong{http.StatusBadRequest, "body: " + err.Error()}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(known, name) {
			return &wrong{http.StatusBadRequest, fmt.Sprintf("unknown member %q%s", name, config.Instead(name, known))}
		}
	}
	if err := json.Unmarshal(data, v); err != nil {
		return &wrong{http.StatusBadRequest, unfit(err)}
	}
	return nil
}

// unfit says which member has a value that does not fit, in the words of JSON.
func unfit(err error) string {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		return fmt.Sprintf("%s must not be a JSON %s", t.Field, t.Value)
	}
	if strings.Contains(err.Error(), "parsing time") {
		return "a time is written 2026-01-31T08:00:00Z"
	}
	return "body: " + err.Error()
}

// fail answers a request that something is wrong with.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var e *wrong
	if errors.As(err, &e) {
		status = e.status
	}
	write(w, status, map[string]string{"error": err.Error()})
}
