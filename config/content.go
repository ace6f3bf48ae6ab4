package config

// Sanitize looks for markup in what clients send: JSON strings, form fields
// and the text parts of multipart. Text without markup stays byte for byte as
// it was.
type Sanitize struct {
	// HTML is what happens to a text with markup: off, report, strip (the
	// markup is taken out), reject (422) or ugc (a safe subset of HTML stays).
	// Fields named as passwords are noted where they would be changed, unless
	// fields names them. Default: strip.
	HTML string `yaml:"html" oneof:"off report strip reject ugc"`
	// SQLInjection is what happens to a text that looks like an SQL injection:
	// off, report or reject (422). Prose is sometimes taken for one: keep to
	// report unless the fields are known. Default: report.
	SQLInjection string `yaml:"sql_injection" oneof:"off report reject"`
	// Fields sets other modes for single fields, by JSON pointer (RFC 6901)
	// with * for any one part; a form field is /name. An entry is for the text
	// at the pointer, not for what is inside of an object there.
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
	// HTML as in sanitize.
	HTML string `yaml:"html" oneof:"off report strip reject ugc"`
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
