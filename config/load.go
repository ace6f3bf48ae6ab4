package config

import "fmt"

// source remembers where the values of a configuration were written.
type source struct {
	file  string
	files []string
}

// Load reads, checks and completes a configuration file. The error is
// [Mistakes].
func Load(file string) (*Config, error) {
	return nil, fmt.Errorf("not yet: %s", file)
}

// Mistake says what is wrong with the value at path, such as
// `routes[2].upstream` or `issuers.auth-service.jwks_file`, at the position
// where it (or the closest thing around it) was written.
func (c *Config) Mistake(path, format string, args ...any) Mistake {
	return Mistake{File: c.source.file, Message: fmt.Sprintf(format, args...)}
}

// Files lists every file the configuration was made from or refers to by a
// fixed name (the file itself, ${file:…}, certificates, key sets); folders of
// policies are not among them.
func (c *Config) Files() []string { return c.source.files }
