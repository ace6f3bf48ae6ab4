package main

import (
	"regexp"
	"testing"
)

// Whom an operator keeps out of one replica stays out of all, streams included,
// over restarts and without Redis, until somebody lets them in anywhere.
func TestOperatorBlocksOnEveryReplica(t *testing.T) {
	p := newPair(t)
	token := p.signer.token("s1")
	p.both("before", token, "200")
	for _, target := range []struct {
		args []string
		want string
	}{
		{[]string{"127.0.0.1"}, "403 address_blocked"},
		{[]string{"--issuer", "auth", "--subject", "alice"}, "403 subject_blocked"},
	} {
		stream := p.two.stream(token)
		add := append([]string{"blocks", "add", "--for", "2h", "--reason", "scraping"}, target.args...)
		code, said := p.one.tell(add...)
		id := regexp.MustCompile(`order (\w+) lifts`).FindStringSubmatch(said)
		if !given(code, said) || id == nil {
			t.Fatalf("%v: %d %s", add, code, said)
		}
		if got := p.one.get(token); got != target.want {
			t.Errorf("where it was blocked: %s, want %s", got, target.want)
		}
		eventually(t, "the other replica blocks", func() bool { return p.two.get(token) == target.want })
		if target.args[0] == "--issuer" {
			if end := <-stream; end.err == nil {
				t.Error("the stream of the subject seems complete; it must be cut")
			}
		}
		p.redis.Kill()
		p.two.restart()
		p.both("without Redis, after a restart", token, target.want)
		p.redis.Start()
		eventually(t, "let in there, in the end", func() bool {
			code, said := p.two.tell("blocks", "remove", id[1])
			return code == exitOK || regexp.MustCompile("no order with this id").MatchString(said)
		})
		eventually(t, "let in here", func() bool { return p.one.get(token) == "200" })
		p.both("let in", token, "200")
	}
}
