package config

// Sanitize looks for markup and SQL injections in what clients send: JSON
// strings, form fields, the text parts of multipart and, if asked for, the query
// and headers. Text without markup stays byte for byte as it was.
type Sanitize struct {
	// HTML is what happens to a text with markup: off, report, strip (the
	// markup is taken out), reject (422), formatting (paragraphs, headings,
	// lists and emphasis stay: no links, images or attributes) or ugc (links,
	// images and tables stay too). After formatting and ugc the text is HTML.
	// Fields named as passwords are noted where they would be changed, unless
	// fields names them. Default: strip.
	HTML string `yaml:"html" oneof:"off report strip reject formatting ugc"`
	// SQLInjection is what happens to a text that looks like an SQL injection:
	// off, report or reject (422). Prose is sometimes taken for one, such as
	// "100% off -- limited" or "5 < 6 and 7 > 3": keep to report unless the
	// fields are known, and set off for those that hold prose. At most
	// 1MiB of a body is looked into. Default: report.
	SQLInjection string `yaml:"sql_injection" oneof:"off report reject"`
	// Query is what happens to a value of the query with markup: off, report or
	// reject (422). Unless it is off, sql_injection is for the query too. A
	// query is forwarded byte for byte, so nothing is taken out of it. Default:
	// off.
	Query string `yaml:"query" oneof:"off report reject"`
	// Headers that are judged as the body is; where html would change one, it is
	// refused. Default: none.
	Headers []string `yaml:"headers"`
	// Fields sets other modes for single fields, by JSON pointer (RFC 6901)
	// with * for any one part; a form field is /name, a value of the query
	// query:name, a header header:name. An entry is for the text at the pointer,
	// not for what is inside of an object there.
	Fields map[string]SanitizeField `yaml:"fields"`
	// MediaTypes that requests with a body may have; any other is 415. Beyond
	// JSON, forms, multipart/form-data and text/plain they pass unread.
	// Default: application/json, application/*+json,
	// application/x-www-form-urlencoded, multipart/form-data.
	MediaTypes []string `yaml:"media_types"`
}

// SanitizeField sets the modes for one field; what it does not say is as in
// sanitize.
type SanitizeField struct {
	// HTML as in sanitize; off, report or reject for query: and header:.
	HTML string `yaml:"html" oneof:"off report strip reject formatting ugc"`
	// SQLInjection as in sanitize.
	SQLInjection string `yaml:"sql_injection" oneof:"off report reject"`
}

// Upload checks the files in multipart requests: the extension, the declared
// type and the type found in the content must agree.
type Upload struct {
	// Extensions that are accepted, without the dot. Required.
	Extensions []string `yaml:"extensions" is:"required"`
	// FileBytes is the largest file. Default: 2MiB.
	FileBytes Size `yaml:"file_bytes" is:"positive"`
	// Files is how many files one request may carry. Default: 10.
	Files int `yaml:"files" is:"positive"`
}
