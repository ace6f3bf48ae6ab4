package authn

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// How issuers are asked about tokens (RFC 7662).
const (
	// maxQuestions is how many questions to one issuer may be under way at once.
	maxQuestions = 32
	// maxWaiting is how many tokens may be asked about at once, those that wait
	// for their turn included. Further ones are answered with 503.
	maxWaiting = 1024
	// maxAnswer is the largest answer, in bytes.
	maxAnswer = 64 << 10
	// keepRefused is how long a token that is not good is remembered at most.
	keepRefused = 5 * time.Second
	// maxAccepted and maxRefused bound what is remembered, each for itself, so
	// that made-up tokens never push out good ones: in bytes of answers, and in
	// tokens.
	maxAccepted = 32 << 20
	maxRefused  = 4096
)

// Reasons of introspection, for the record.
var (
	errUnanswered = errors.New("the issuer cannot be asked about the token")
	errInactive   = errors.New("the issuer says that the token is not good")
	errBearer     = errors.New("the token has a byte that no bearer token has")
)

// opaque reports whether a token is for introspection: whether it cannot be a
// JWT. What is three texts with dots between is a JWT, a broken one at worst; no
// issuer is ever asked to judge that anew.
func opaque(raw string) bool { return strings.Count(raw, ".") != 2 }

// introspector asks one issuer about opaque tokens and remembers the answers
// for a short while. A token is asked about by one question at a time, however
// many requests carry it. What the issuer does not say in time is no answer, and
// no token is good without one.
type introspector struct {
	judge    func(claims map[string]any, now time.Time) (verified, error)
	settings *config.Introspection
	issuer   string // the iss, where an answer leaves it out
	client   *http.Client
	basic    string        // the gateway's own credentials
	slots    chan struct{} // holds one for each question under way
	gate     gate

	ctx    context.Context //nolint:containedctx // of all questions; ends with close
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	flights  map[digest]*flight
	accepted *recent[*verified]
	refused  *recent[error]
	failed   error // why the last question had no answer
}

// flight is a question under way. Its answer is read when done is closed.
type flight struct {
	done  chan struct{}
	token *verified
	err   error
}

func newIntrospector(ctx context.Context, c *config.Issuer, dial dialer, judge func(map[string]any, time.Time) (verified, error)) (*introspector, error) {
	q := c.Introspection
	u, err := checkURL(q.URL)
	if err != nil {
		return nil, fmt.Errorf("introspection.url: %w", err)
	}
	client, err := newClient(c.CA, u.Scheme == "http", dial)
	if err != nil {
		return nil, err
	}
	if t, ok := client.Transport.(*http.Transport); ok {
		t.DisableKeepAlives, t.MaxIdleConnsPerHost, t.IdleConnTimeout = false, maxQuestions, time.Minute
		// Over HTTP/2 all questions would share one connection, and go on to when
		// nobody is at its other end any more. Over HTTP/1 it ends with a question
		// that has no answer.
		t.ForceAttemptHTTP2, t.Protocols = false, new(http.Protocols)
		t.Protocols.SetHTTP1(true)
	}
	// RFC 6749, section 2.3.1: both are encoded as in a form before they are joined.
	pair := url.QueryEscape(q.ClientID) + ":" + url.QueryEscape(q.ClientSecret.Reveal())
	i := &introspector{
		judge: judge, settings: q, issuer: c.Issuer, client: client,
		basic: "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)),
		slots: make(chan struct{}, maxQuestions), flights: map[digest]*flight{},
		accepted: newRecent[*verified](maxAccepted), refused: newRecent[error](maxRefused),
	}
	i.ctx, i.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return i, nil
}

// verify says what a token says, if it is good. It waits for the issuer as long
// as ctx lasts.
func (i *introspector) verify(ctx context.Context, token *digest, raw string, now time.Time) (*verified, error) {
	v, f, err := i.known(token, raw, now)
	if v != nil || err != nil {
		return v, err
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errUnanswered, ctx.Err())
	}
	return f.token, f.err
}

// known gives what is remembered of a token, or the question about it that is
// under way, or begins one.
func (i *introspector) known(token *digest, raw string, now time.Time) (*verified, *flight, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if v, ok := i.accepted.get(token, now); ok {
		return v, nil, nil
	}
	if err, ok := i.refused.get(token, now); ok {
		return nil, nil, err
	}
	if f := i.flights[*token]; f != nil {
		return nil, f, nil
	}
	switch {
	case i.closed:
		return nil, nil, fmt.Errorf("%w: closed", errUnanswered)
	case !isBearer(raw):
		return nil, nil, errBearer
	case len(i.flights) >= maxWaiting:
		return nil, nil, fmt.Errorf("%w: %w", errUnanswered, errBusy)
	}
	probe, err := i.gate.enter(now)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errUnanswered, err)
	}
	f, key := &flight{done: make(chan struct{})}, *token
	i.flights[key] = f
	i.wait.Go(func() { i.run(f, key, raw, probe) })
	return nil, f, nil
}

// isBearer reports whether a token is of the bytes that bearer tokens have (RFC
// 6750, section 2.1). Others are not worth a question.
func isBearer(raw string) bool {
	text := strings.TrimRight(raw, "=")
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("-._~+/", c) < 0 {
			return false
		}
	}
	return text != ""
}

// run asks a question, judges the answer and remembers it.
func (i *introspector) run(f *flight, token digest, raw string, probe bool) {
	claims, size, err := i.ask(raw)
	now := time.Now()
	if err != nil {
		f.err = fmt.Errorf("%w: %w", errUnanswered, err)
	} else if v, refused := i.believe(claims, now); refused != nil {
		f.err = refused
	} else {
		f.token = &v
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.gate.leave(probe, err, now)
	i.failed = err
	keep := i.settings.Cache.D()
	switch {
	case err != nil: // no answer
	case f.err != nil:
		i.refused.put(&token, f.err, 1, now, now.Add(min(keep, keepRefused)))
	default:
		until := now.Add(keep)
		if f.token.times.expires.Before(until) {
			until = f.token.times.expires
		}
		i.accepted.put(&token, f.token, size+overhead, now, until)
	}
	delete(i.flights, token)
	close(f.done)
}

// believe judges an answer as the claims of a JWT. The issuer is whom we have
// asked; where the answer names one, it is that one.
func (i *introspector) believe(claims map[string]any, now time.Time) (verified, error) {
	if claims["active"] != true {
		return verified{}, errInactive
	}
	if _, there := claims["iss"]; !there {
		claims["iss"] = i.issuer
	}
	for name, fine := range map[string][]string{"token_type": {"bearer", "dpop"}, "token_use": {"access", "access_token"}} {
		v, there := claims[name]
		s, _ := v.(string)
		if there && !strings.EqualFold(s, fine[0]) && !strings.EqualFold(s, fine[1]) {
			return verified{}, fmt.Errorf("the token is no access token, by its %s", name)
		}
	}
	v, err := i.judge(claims, now)
	if t, _ := claims["token_type"].(string); err == nil && strings.EqualFold(t, "dpop") && v.bound.key == "" {
		return verified{}, errors.New("the token is good with proofs only, and the issuer names no key")
	}
	return v, err
}

// ask puts the question. An error says why there is no answer.
func (i *introspector) ask(raw string) (claims map[string]any, size int, err error) {
	ctx, cancel := context.WithTimeout(i.ctx, i.settings.Timeout.D())
	defer cancel()
	select {
	case i.slots <- struct{}{}:
		defer func() { <-i.slots }()
	case <-ctx.Done():
		return nil, 0, errBusy
	}
	form := url.Values{"token": {raw}, "token_type_hint": {"access_token"}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.settings.URL, strings.NewReader(form))
	if err != nil {
		return nil, 0, errors.New("not a request")
	}
	for name, value := range map[string]string{
		"Authorization": i.basic, "Content-Type": "application/x-www-form-urlencoded",
		"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "gatehouse",
	} {
		req.Header.Set(name, value)
	}
	res, err := i.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		i.client.CloseIdleConnections() // they may be as dead as this one
		return nil, 0, &failure{err}
	}
	defer res.Body.Close()
	switch code := res.StatusCode; {
	case code > 500 || code == http.StatusTooManyRequests: // 500 is what is said of a token that breaks something
		return nil, 0, &failure{fmt.Errorf("answered with status %d", code)}
	case code != http.StatusOK:
		return nil, 0, fmt.Errorf("answered with status %d", code)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, 0, &failure{err}
	case len(data) > maxAnswer:
		return nil, 0, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	if claims, err = Claims(data); err != nil {
		return nil, 0, err
	}
	if _, ok := claims["active"].(bool); !ok {
		return nil, 0, errors.New("the answer does not say whether the token is active")
	}
	return claims, len(data), nil
}

// detail says why the last question had no answer, "" where it had one.
func (i *introspector) detail() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.failed == nil {
		return ""
	}
	return "introspection: " + i.failed.Error()
}

// close ends the questions under way and waits for that.
func (i *introspector) close() {
	i.mu.Lock()
	i.closed = true
	i.mu.Unlock()
	i.cancel()
	i.wait.Wait()
	i.client.CloseIdleConnections()
}
