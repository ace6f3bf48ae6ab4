package authn

import (
	"errors"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/internal/cookies"
)

// Reasons to refuse a token for the way it came, for the record.
var (
	errTwoTokens = errors.New("the Authorization header and the cookie carry different tokens")
	errPlain     = errors.New("a token in a cookie came without TLS")
)

// token finds the one token of a request and notes whether a cookie carried it.
//
// An Authorization header makes the request one that no browser sends of its
// own accord, so it is not a matter of [middleware.Exchange.ByCookie]. But a
// cookie that carries another token beside it leaves open who asks: the
// upstream may believe the one that was not checked. Then nobody does.
//
// A cookie named __Host-… never leaves a browser but over TLS. One that did was
// read by somebody on the way, or was not kept by a browser.
func (s *Stage) token(x *middleware.Exchange) (credentials, error) {
	values := x.Request.Header["Authorization"]
	if s.cookie == "" {
		return fromHeader(values)
	}
	carried, err := cookies.Find(x.Request.Header, s.cookie)
	switch {
	case err != nil:
		return credentials{}, err
	case carried == "":
		return fromHeader(values)
	case len(values) > 0:
		c, err := fromHeader(values)
		if err != nil || c.token != carried {
			return credentials{}, errTwoTokens
		}
		return c, nil
	case !x.Secure:
		return credentials{}, errPlain
	}
	x.ByCookie = true
	return credentials{token: carried}, nil
}
