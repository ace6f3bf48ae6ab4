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

// Upload checks the files that clients send, in forms and as whole bodies: the
// extension, the declared type and the type found in the content must agree.
type Upload struct {
	// Extensions that are accepted, without the dot. Required, unless fields
	// says what is: then no other field takes a file.
	Extensions []string `yaml:"extensions"`
	// FileBytes is the largest file. Default: 2MiB.
	FileBytes Size `yaml:"file_bytes" is:"positive"`
	// Files is how many files one request may carry. Default: 10.
	Files int `yaml:"files" is:"positive"`
	// TotalBytes is how large the files of one request may be together, beside
	// limits.body_bytes, which holds for the whole body. Default: none.
	TotalBytes Size `yaml:"total_bytes" is:"positive"`
	// Fields sets what single fields of a form take, by their exact name.
	// Backends that read other names as the same (a[] and a, A and a) see the
	// files that were judged by what holds for the other fields.
	Fields map[string]UploadField `yaml:"fields"`
	// Pixels is the largest picture, as its width times its height.
	// Default: 65000000.
	Pixels int `yaml:"pixels" is:"positive"`
	// Active is what happens to a document with active content: report (it is
	// noted) or reject (422). In a PDF that are scripts, actions on opening,
	// programs, embedded files, rich media, forms that are programs, and what
	// cannot be looked into; in an office file embedded objects, and templates
	// and objects that are fetched from elsewhere. Macros are always refused.
	// Default: report.
	Active string `yaml:"active" oneof:"report reject"`
	// Trailing is what happens to a picture or PDF with something behind its
	// end: report or reject. Telephones write second pictures and films there.
	// An archive or a page is always refused. Default: report.
	Trailing string `yaml:"trailing" oneof:"report reject"`
	// Scan shows each file to the scanner, when nothing else is wrong with it.
	// Default: false.
	Scan bool `yaml:"scan"`
}

// UploadField sets what one field takes; what it does not say is as in upload.
type UploadField struct {
	// Extensions as in upload.
	Extensions []string `yaml:"extensions"`
	// FileBytes as in upload.
	FileBytes Size `yaml:"file_bytes" is:"positive"`
	// Files is how many files one request may carry in the field, of those of
	// upload.
	Files int `yaml:"files" is:"positive"`
}

// In says what a field takes. A number of 0 is no bound, and no extensions are
// no files.
func (u *Upload) In(field string) UploadField {
	f := u.Fields[field]
	fill(&f, UploadField{Extensions: u.Extensions, FileBytes: u.FileBytes, Files: u.Files})
	return f
}
