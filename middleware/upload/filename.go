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
	if reserved(parts[0]) {
		return "", "its name is one that Windows keeps for devices"
	}
	if len(parts) == 1 {
		return "", "its name has no extension"
	}
	for decoded, again := name, 0; again <= decodings; again++ {
		if runsInside(decoded) {
			return "", "its name has the extension of a program inside"
		}
		decoded = unescaped(decoded)
	}
	return parts[len(parts)-1], ""
}

// decodings is how often somebody behind may decode a name once more.
const decodings = 3

// runsInside reports whether an extension before the last is that of a program.
func runsInside(name string) bool {
	parts := strings.Split(strings.ToLower(name), ".")
	for _, inner := range parts[1:max(1, len(parts)-1)] {
		inner, _, _ = strings.Cut(inner, ";")
		if runs(strings.TrimSpace(inner)) {
			return true
		}
	}
	return false
}

// hidesPath finds what becomes a separator, a NUL or a line end when somebody
// decodes the name once more, and steps upwards where somebody takes wide forms
// for plain ones. Wide slashes by themselves are how dates are written in
// Japanese names.
func hidesPath(name string) bool {
	for range decodings {
		next := unescaped(name)
		if next == name {
			break
		}
		name = next
		if strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == '/' || r == '\\' }) || strings.Contains(name, "\xc0\xaf") {
			return true
		}
	}
	plain := strings.NewReplacer("／", "/", "＼", "/", "∕", "/", "⁄", "/", "⧸", "/", "．", ".", "․", ".", "‥", "..").Replace(name)
	for step := range strings.SplitSeq(plain, "/") {
		if step == ".." {
			return true
		}
	}
	return false
}

// unescaped decodes what is percent-encoded once, and leaves what is not.
func unescaped(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0 {
			b.WriteByte(byte(hex(s[i+1])<<4 | hex(s[i+2])))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// hex gives the value of a hexadecimal digit, or -1.
func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// misleading is true of controls, of characters that turn the direction of
// writing, by which "gpj.exe" is shown as "exe.jpg", and of those that are not
// seen at all. Joiners belong to names and emoji, and the marks U+200E and
// U+200F are in the names that Windows gives to screenshots in Hebrew; neither
// overrides anything.
func misleading(r rune) bool {
	switch r {
	case 0xad, 0x34f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180e, 0x200b, 0x2028, 0x2029, 0x3164, 0xfeff, 0xffa0, 0xfff9, 0xfffa, 0xfffb:
		return true
	}
	return unicode.IsControl(r) || 0x202a <= r && r <= 0x202e || 0x2060 <= r && r <= 0x206f || 0xe0000 <= r && r <= 0xe0fff
}

// reserved reports whether Windows opens a device under this name, whatever
// extension follows.
func reserved(base string) bool {
	switch base = strings.TrimRight(base, " "); base {
	case "con", "prn", "aux", "nul", "conin$", "conout$", "clock$":
		return true
	}
	for _, port := range []string{"com", "lpt"} {
		if n, ok := strings.CutPrefix(base, port); ok && utf8.RuneCountInString(n) == 1 && strings.Contains("0123456789¹²³", n) {
			return true
		}
	}
	return false
}

// runs reports whether files with this extension are programs or pages to a
// server, a browser or a desk, also where another one follows it. Extensions
// that are the ends of many addresses (com, pl) or words (app, action, class)
// are no sign of anything: "www.example.com.pdf" is a printed page.
func runs(ext string) bool {
	switch ext {
	case "php", "php2", "php3", "php4", "php5", "php6", "php7", "php8", "phps", "pht", "phtm", "phtml", "phar", "hphp", "ctp",
		"asp", "aspx", "ashx", "asmx", "asax", "ascx", "axd", "cer", "cshtml", "vbhtml", "cfm", "cfml", "cfc", "dbm",
		"jsp", "jspx", "jspf", "jsw", "jsv", "jhtml", "jar",
		"cgi", "fcgi", "py", "pyc", "rb", "rhtml", "sh", "shtml", "shtm", "stm", "htaccess", "htpasswd",
		"html", "htm", "xhtml", "xht", "mht", "mhtml", "svg", "svgz", "swf", "js", "mjs", "jse", "xsl", "xslt",
		"exe", "dll", "bat", "cmd", "cpl", "pif", "scr", "msi", "msp", "mst", "hta", "lnk", "scf",
		"ps1", "psm1", "vb", "vbe", "vbs", "ws", "wsf", "wsh", "chm", "hlp", "apk", "dmg", "deb", "rpm",
		"docm", "dotm", "xlsm", "xltm", "xlam", "xll", "pptm", "potm", "ppam", "ppsm", "sldm", "xlm":
		return true
	}
	return false
}
