package demo

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
)

// Result is how a step ended.
type Result struct {
	Step   Step
	Status int
	Found  string // what the answer showed, in a few words
	Err    error  // what was not as it must be
}

// Check sends every step to the gateway at base and judges the answers.
func (c *Company) Check(ctx context.Context, base string) ([]Result, error) {
	pool, err := certs.Pool(c.CA())
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	var out []Result
	for _, s := range Steps() {
		r := Result{Step: s}
		for range max(s.Times, 1) {
			r.Status, r.Found, r.Err = c.send(ctx, client, base, s)
		}
		out = append(out, r)
	}
	return out, nil
}

func (c *Company) send(ctx context.Context, client *http.Client, base string, s Step) (int, string, error) {
	body, mediaType := s.Body()
	r, err := http.NewRequestWithContext(ctx, s.Method, base+s.Path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if mediaType != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	switch s.As {
	case "":
	case "!":
		r.Header.Set("Authorization", "Bearer e30.e30.e30")
	default:
		r.Header.Set("Authorization", "Bearer "+c.Token(s.As))
	}
	res, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return res.StatusCode, "", err
	}
	found, err := s.judge(res, answer)
	return res.StatusCode, found, err
}

func (s Step) judge(res *http.Response, answer []byte) (string, error) {
	if res.StatusCode != s.Status {
		return "", fmt.Errorf("status %d, want %d: %.200s", res.StatusCode, s.Status, answer)
	}
	if res.Header.Get("Strict-Transport-Security") == "" || res.Header.Get("X-Request-Id") == "" {
		return "", fmt.Errorf("a security header is missing")
	}
	body, err := parse(res.Header.Get("Content-Type"), answer)
	if err != nil {
		return "", err
	}
	if s.Status >= 400 {
		problem, _ := body.(map[string]any)
		code, _ := problem["code"].(string)
		if code == "" || s.Code != "" && code != s.Code {
			return "", fmt.Errorf("code %q, want %q", code, s.Code)
		}
		if s.Status == http.StatusTooManyRequests && res.Header.Get("Retry-After") == "" {
			return "", fmt.Errorf("no Retry-After")
		}
		return code, nil
	}
	if s.Shows == nil {
		return "ok", nil
	}
	return s.Shows(body)
}

func parse(mediaType string, answer []byte) (any, error) {
	if strings.HasPrefix(mediaType, "text/csv") {
		return readTable(bytes.NewReader(answer))
	}
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	var body any
	if err := d.Decode(&body); err != nil {
		return nil, fmt.Errorf("the answer is not JSON: %w", err)
	}
	return body, nil
}

// WriteFiles lays out the files that the curl lines upload.
func (c *Company) WriteFiles() error {
	dir := filepath.Join(c.Dir, "files")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, s := range Steps() {
		if s.File == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, s.File.stored()), s.File.Content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
