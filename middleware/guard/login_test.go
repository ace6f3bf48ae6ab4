package guard

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func TestUsernames(t *testing.T) {
	const j, f = "application/json", "application/x-www-form-urlencoded; charset=utf-8"
	long := strings.Repeat("x", maxBody)
	for _, tt := range []struct {
		mediaType, body string
		want            []string
	}{
		{j, `{"username":"Ann ","password":"p"}`, []string{"ann"}},
		{"application/vnd.api+json", `{"email":"a@b.c"}`, []string{"a@b.c"}},
		{j, `{"Login":"ann"}`, []string{"ann"}},
		{j, `{"login":4711}`, []string{"4711"}},
		{f, "email=a%40b.c&password=p", []string{"a@b.c"}},
		// Which one the upstream takes is not known, so all count.
		{j, `{"username":"victim","email":"decoy"}`, []string{"decoy", "victim"}},
		{j, `{"username":"victim","username":"decoy"}`, []string{"decoy", "victim"}},
		{j, `{"username":"a","email":"A"}`, []string{"a"}},
		{f, "username=victim&username=decoy&login=other", []string{"decoy", "other", "victim"}},
		// Nobody, or not for sure.
		{j, `{"user":{"email":"a@b.c"}}`, nil},
		{j, `{"username":["ann"]}`, nil},
		{j, `{"username":null}`, nil},
		{j, `{"username":"ann"`, nil},
		{j, `{"username":"ann","x":}`, nil},
		{j, `{"username":"decoy"}{"username":"victim"}`, nil},
		{j, `[{"username":"ann"}]`, nil},
		{j, `{"username":""}`, nil},
		{j, `{"username":"a\u0000b"}`, nil},
		{j, ``, nil},
		{j, `{"username":"ann","x":"` + long + `"}`, nil},
		{f, "username=a;username=b", nil},
		{f, "username=%zz", nil},
		{f, strings.Repeat("username=1&username=2&username=3&", 4), nil},
		{"text/plain", `{"username":"ann"}`, nil},
		{"", `{"username":"ann"}`, nil},
	} {
		for _, length := range []bool{true, false} {
			x := middlewaretest.Exchange(t, "POST", "/", strings.NewReader(tt.body), middlewaretest.Header("Content-Type", tt.mediaType))
			if !length {
				x.Request.ContentLength = -1
			}
			got, _, err := usernames(x, nil)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%s %.80s: %q %v, want %q", tt.mediaType, tt.body, got, err, tt.want)
			}
		}
	}
	x := middlewaretest.Exchange(t, "POST", "/", strings.NewReader(`{"username":"ann"}`),
		middlewaretest.Header("Content-Type", j), middlewaretest.Header("Content-Encoding", "gzip"))
	if got, _, err := usernames(x, nil); err != nil || got != nil {
		t.Errorf("an encoded body: %q %v", got, err)
	}
}

// A name made up beside the real one, or a body that cannot be read, hides
// nothing; and a success does not clear the name of somebody else.
func TestDecoys(t *testing.T) {
	post := func(s middleware.Stage, status int, mediaType, body string) string {
		x := middlewaretest.Exchange(t, "POST", "/", strings.NewReader(body), middlewaretest.Header("Content-Type", mediaType))
		up := middlewaretest.NewUpstream(t, status, "", "")
		_, _, err := middlewaretest.Run(t, s, x, up.Handle)
		if err == nil && up.Got != body {
			t.Errorf("the upstream got %q", up.Got)
		}
		return middlewaretest.Code(err)
	}
	for _, tt := range []struct{ name, mediaType, body string }{
		{"another member", "application/json", `{"username":"victim","email":"decoy#"}`},
		{"a second member", "application/json", `{"username":"decoy#","username":"victim"}`},
		{"not readable", "text/plain", "victim decoy#"},
		{"nested", "application/json", `{"data":{"username":"victim#"}}`},
	} {
		s := New(ByAddress, &config.Route{Login: true}, openGuard(t, authFailures(nil)).Guard)
		var got []string
		for i := range 4 {
			got = append(got, post(s, 401, tt.mediaType, strings.ReplaceAll(tt.body, "#", strconv.Itoa(i))))
			switch {
			case strings.Contains(tt.name, "member"):
				post(s, 200, tt.mediaType, `{"username":"mallory","email":"victim"}`)
			case i < 3: // the own account, named as unreadably as the victim's
				post(s, 200, tt.mediaType, strings.ReplaceAll(tt.body, "victim", "mallory"))
			}
		}
		if d := cmp.Diff([]string{"", "", "", "address_blocked"}, got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

// A body that breaks off is refused: what is left of it must not be sent on.
func TestBrokenBody(t *testing.T) {
	x := middlewaretest.Exchange(t, "POST", "/", broken{}, middlewaretest.Header("Content-Type", "application/json"))
	x.Request.ContentLength = 100
	s := New(ByAddress, &config.Route{Login: true}, openGuard(t, authFailures(nil)).Guard)
	_, err := s.Handle(x, func(*middleware.Exchange) (*http.Response, error) {
		t.Error("it was sent on")
		return nil, errors.New("unreachable")
	})
	if got := middlewaretest.Code(err); got != "body_malformed" {
		t.Errorf("got %q %v", got, err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broke off") }

// Guesses sent in parallel reach the upstream no more often than one after the
// other; other names are not held up, and nothing is left of it afterwards.
func TestParallelGuesses(t *testing.T) {
	g := openGuard(t, authFailures(nil))
	s := New(ByAddress, &config.Route{Login: true}, g.Guard)
	const guesses = 20
	reached, answer := make(chan bool, guesses), make(chan bool)
	hold := func(x *middleware.Exchange) (*http.Response, error) {
		reached <- true
		<-answer
		return middlewaretest.NewUpstream(t, 401, "", "").Handle(x)
	}
	codes := make(chan string, guesses)
	var wg sync.WaitGroup
	for range guesses {
		x := attemptBy(t, "192.0.2.1", "ann")
		wg.Go(func() {
			res, err := s.Handle(x, hold)
			if err == nil {
				_ = res.Body.Close()
			}
			codes <- middlewaretest.Code(err)
		})
	}
	for range guesses - 3 { // those that are refused come back though nobody was answered
		if got := <-codes; got != "rate_limited" {
			t.Errorf("got %q", got)
		}
	}
	if _, _, err := middlewaretest.Run(t, s, attemptBy(t, "192.0.2.1", "bob"), middlewaretest.NewUpstream(t, 204, "", "").Handle); err != nil {
		t.Errorf("another name was held up: %v", err)
	}
	close(answer)
	wg.Wait()
	if len(reached) != 3 || g.given.Load() != 1 {
		t.Errorf("%d reached the upstream, %d blocks were given", len(reached), g.given.Load())
	}
	_, _, err := middlewaretest.Run(t, s, attemptBy(t, "192.0.2.1", "ann"), hold)
	if got := middlewaretest.Code(err); got != "address_blocked" {
		t.Errorf("afterwards: %q", got)
	}
}

func FuzzNames(f *testing.F) {
	f.Add([]byte(`{"username":"ann","email":1e9}`))
	f.Add([]byte(`username=a&email=%41`))
	f.Add([]byte(`{"login":"\ud800"}`))
	f.Add([]byte(`{"login":"ann"`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if names, ok := jsonNames(body, nil); !ok && names != nil {
			t.Error("names of what cannot be read")
		}
		if names, ok := formNames(body, nil); !ok && names != nil {
			t.Error("names of what cannot be read")
		}
	})
}

// A route says where its logins name their user.
func TestLoginUsername(t *testing.T) {
	const j, f = "application/json", "application/x-www-form-urlencoded"
	for _, tt := range []struct {
		field, mediaType, body string
		want                   []string
	}{
		{"/user/name", j, `{"user":{"name":"Ann","id":7},"password":"p"}`, []string{"ann"}},
		{"/user/name", j, `{"user":{"name":4711}}`, []string{"4711"}},
		{"/user/name", j, `{"USER":{"Name":"ann"}}`, []string{"ann"}},
		{"/user/name", j, `{"user":{"name":"a"},"user":{"name":"b","name":"c"}}`, []string{"a", "b", "c"}},
		{"/user/name", j, `{"user":"ann"}`, nil},
		{"/user/name", j, `{"user":{"name":["ann"]}}`, nil},
		{"/user/name", j, `{"user":[{"name":"ann"}]}`, nil},
		{"/user/name", j, `{"username":"decoy"}`, nil},
		{"/user/name", f, "name=ann&user=ann", nil},
		{"/a~1b/c~0d", j, `{"a/b":{"c~d":"ann"}}`, []string{"ann"}},
		{"/pin", j, `{"pin":"x","username":"decoy"}`, []string{"x"}},
		{"staff_no", f, "staff_no=7&username=decoy", []string{"7"}},
		{"staff_no", f, "STAFF_NO=7&staff_no=8", []string{"7", "8"}},
		{"staff_no", j, `{"staff_no":7}`, []string{"7"}},
		{"", f, "username=ann", []string{"ann"}},
	} {
		x := middlewaretest.Exchange(t, "POST", "/", strings.NewReader(tt.body), middlewaretest.Header("Content-Type", tt.mediaType))
		if got, _, err := usernames(x, fieldOf(tt.field)); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s in %s: %q %v, want %q", tt.field, tt.body, got, err, tt.want)
		}
	}
}

// counted counts what is read of a body.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// Of a body that does not say how large it is no more is held than a login has, and
// all of it goes on.
func TestLargeBodyIsNotHeld(t *testing.T) {
	body := `{"username":"ann","padding":"` + strings.Repeat("x", 10*maxBody) + `"}`
	r := &counted{Reader: strings.NewReader(body)}
	x := middlewaretest.Exchange(t, "POST", "/", r, middlewaretest.Header("Content-Type", "application/json"))
	x.Request.ContentLength = -1
	got, _, err := usernames(x, nil)
	if err != nil || got != nil || r.n > maxBody+1 {
		t.Errorf("%d bytes were read: %q %v", r.n, got, err)
	}
	all, err := io.ReadAll(x.Request.Body)
	if err != nil || string(all) != body {
		t.Errorf("%d bytes go on, of %d: %v", len(all), len(body), err)
	}
}
