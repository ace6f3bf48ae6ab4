package bundle

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// DefaultPoll is how often a URL is asked where Options say nothing.
const DefaultPoll = 30 * time.Second

// How a URL is asked.
const (
	fetchTimeout = 30 * time.Second // for one answer, all of it
	longestPause = 15 * time.Minute // between attempts that fail, unless Poll is longer
)

func newClient(t http.RoundTripper) *http.Client {
	if t == nil {
		t = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			DisableKeepAlives:      true,
			DisableCompression:     true, // a bundle is packed
			MaxResponseHeaderBytes: 64 << 10,
		}
	}
	return &http.Client{
		Transport: t,
		// What is configured is what is asked, and nothing else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// poll asks again and again, less often while that fails.
func (s *Source) poll(ctx context.Context) {
	pause, pending := s.o.Poll, false
	for {
		tenth := max(int64(pause/10), 1)
		timer := time.NewTimer(pause + time.Duration(rand.Int64N(2*tenth)-tenth))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		changed, err := s.download(ctx)
		if pending = pending || changed; pending && err == nil {
			// Whoever reads it decides what it is worth: a bundle that is
			// refused must be told of.
			if err = write(Candidate(s.o.Cache), s.answer()); err == nil {
				pending = false
			}
			s.note(err)
		}
		if err == nil {
			pause = s.o.Poll
		} else {
			pause = min(2*pause, max(longestPause, s.o.Poll))
		}
	}
}

// download asks the URL, and reports whether the answer is another one than
// before.
func (s *Source) download(ctx context.Context) (changed bool, err error) {
	defer func() { s.note(err) }()
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.o.Source, http.NoBody)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	known := s.latest != nil
	if known && s.etag != "" {
		req.Header.Set("If-None-Match", s.etag)
	}
	s.mu.Unlock()
	res, err := s.client.Do(req)
	if ue := (*url.Error)(nil); errors.As(err, &ue) {
		err = ue.Err // without the URL, whose query may hold a secret
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", req.URL.Host, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotModified && known:
		return false, nil
	case res.StatusCode != http.StatusOK:
		return false, fmt.Errorf("%s answered %s", req.URL.Host, res.Status)
	}
	packed, err := atMost(res.Body, s.reader.size)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changed = !known || !bytes.Equal(packed, s.latest)
	s.latest, s.etag = packed, res.Header.Get("ETag")
	return changed, nil
}
