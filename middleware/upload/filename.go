package upload

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is how long the name of a file may be, in bytes: what file systems
// take.
const maxName = 255

// checkName gives the extension of a file name in lower case, or a reason why
// the name is not accepted. A name is judged for every place that it may be
// used in later: a path, a page, a listing, a server that picks handlers by
// any extension in it.
func checkName(name string) (ext, reason string) {
	switch {
	case name == "":
		return "", "it has no name"
	case len(name) > maxName:
		return "", "its name is too long"
	case !utf8.ValidString(name):
		return "", "its name is not UTF-8"
	case strings.ContainsAny(name, "/\\:<>") || hidesPath(name):
		return "", "its name has characters of a path or of markup"
	case strings.ContainsFunc(name, misleading):
		return "", "its name has characters that are not seen"
	case name[0] == '.' || strings.TrimRight(name, ". ") != name || strings.TrimLeft(name, " ") != name:
		return "", "its name starts or ends with a dot or a space"
	}
	parts := strings.Split(strings.ToLower(name), ".")
	if len(parts) == 1 {
		return "", "its name has no extension"
	}
	for _, inner := range parts[1 : len(parts)-1] {
		inner, _, _ = strings.Cut(inner, ";")
		if runs(strings.TrimSpace(inner)) {
			return "", "its name has the extension of a program inside"
		}
	}
	return parts[len(parts)-1], ""
}

// hidesPath finds what becomes a separator, a NUL or a line end when somebody
// decodes the name once more.
func hidesPath(name string) bool {
	lower := strings.ToLower(name)
	for _, s := range []string{"%2f", "%5c", "%00", "%0a", "%0d"} {
		if strings.Contains(lower, s) {
			return true
		}
	}
	return false
}

// misleading is true of controls, and of the characters that turn the
// direction of writing, by which "gpj.exe" is shown as "exe.jpg".
func misleading(r rune) bool {
	return unicode.IsControl(r) || 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 || r == 0xfeff
}

// runs reports whether servers are known to run files with this extension,
// also where another one follows it.
func runs(ext string) bool {
	switch ext {
	case "php", "php2", "php3", "php4", "php5", "php6", "php7", "php8", "phps", "pht", "phtm", "phtml", "phar",
		"asp", "aspx", "ashx", "asmx", "ascx", "cer", "cfm", "jsp", "jspx", "jspf", "jhtml",
		"cgi", "fcgi", "pl", "py", "rb", "sh", "shtml", "exe", "bat", "cmd", "ps1", "vbs", "wsf", "hta", "scr", "msi", "jar", "htaccess":
		return true
	}
	return false
}
