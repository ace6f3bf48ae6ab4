package guard

import "strings"

// fold gives a username as logins are counted by: upstreams differ in whether they
// mind its case and the space around it.
func fold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// User gives what a block has in place of a username; "" where no login is counted
// by such a name.
func (k *Key) User(name string) string {
	name = fold(name)
	if name == "" || strings.ContainsRune(name, 0) {
		return ""
	}
	return userText(k.Digest(name))
}
