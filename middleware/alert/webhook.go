package alert

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// webhook makes a sink that posts events as JSON, signed by the Standard Webhooks
// specification. The id is that of the event and the same in each attempt, so that
// a receiver drops what it has already; the timestamp is that of the attempt, so
// that it refuses what is old. Both are signed with the body.
func (m *maker) webhook(name string, c *config.AlertWebhook) {
	at := "webhook." + name
	ca, err := content(c.CA)
	if err != nil {
		m.fail(at+".ca", err)
		return
	}
	p, err := newPoster(c.URL.Reveal(), ca, c.Insecure)
	if err != nil {
		m.failIn(at, err)
		return
	}
	var keys [][]byte
	for i, secret := range []config.Secret{c.Secret, c.OldSecret} {
		if secret == "" {
			continue
		}
		key, err := signingKey(secret)
		if err != nil {
			m.fail(at+[]string{".secret", ".old_secret"}[i], err)
			return
		}
		keys = append(keys, key)
	}
	deliver := func(ctx context.Context, r *record) error {
		body, err := r.encode(m.version)
		if err != nil {
			return &refusal{error: err, final: true}
		}
		now := strconv.FormatInt(time.Now().Unix(), 10)
		return p.post(ctx, body, map[string]string{
			"webhook-id": r.ID, "webhook-timestamp": now, "webhook-signature": signatures(keys, r.ID, now, body),
		})
	}
	m.add(&Sink{Name: name, Kind: "webhook", timeout: c.Timeout.D(), deliver: deliver, close: p.transport.CloseIdleConnections},
		c.MinSeverity, c.Classes, c, c.URL.Reveal(), c.Secret.Reveal(), c.OldSecret.Reveal(), string(ca))
}

// failIn reports an error of a key within a section, which it may name.
func (m *maker) failIn(path string, err error) {
	var f *FieldError
	if errors.As(err, &f) {
		path, err = path+"."+f.Path, f.Err
	}
	m.fail(path, err)
}

func signingKey(secret config.Secret) ([]byte, error) {
	text, ok := strings.CutPrefix(secret.Reveal(), "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) < 24 {
		return nil, errors.New("this is not whsec_ and 24 bytes or more in base64")
	}
	return key, nil
}

// signatures signs by each key. A receiver takes what one of them fits.
func signatures(keys [][]byte, id, timestamp string, body []byte) string {
	var list []string
	for _, key := range keys {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(id + "." + timestamp + "."))
		h.Write(body)
		list = append(list, "v1,"+base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	return strings.Join(list, " ")
}
