package upload

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strings"
)

const (
	maxListing   = 1 << 20 // of [Content_Types].xml
	maxRelations = 8 << 20 // of the relationships of one part
)

// checkOffice wants an Office Open XML document (ECMA-376) with the main part
// given and without macros. A document with macros differs from one without by
// its list of types and a binary part, which may have any name, and by nothing
// that a magic number sees.
func checkOffice(v *view, main string) string {
	z, reason := openZip(v)
	if reason != "" {
		return reason
	}
	var listing, body bool
	for _, m := range z.members {
		lower := strings.ToLower(m.name)
		base, folder := path.Base(lower), path.Base(path.Dir(lower))
		switch {
		case strings.HasPrefix(base, "vbaproject") || base == "vbadata.xml" || folder == "macrosheets":
			return macros
		case m.name == "[Content_Types].xml":
			listing = true
			reason = z.listing(m)
		case m.name == main:
			body = true
		case strings.HasSuffix(base, ".rels"):
			reason = z.relations(m)
		case folder == "embeddings" && path.Ext(base) == ".bin":
			v.act("embedded object")
		case folder == "activex":
			v.act("ActiveX")
		}
		if reason != "" {
			return reason
		}
	}
	if !listing || !body {
		return notDoc
	}
	return ""
}

// listing looks for the types of macros in the list of types. It is read as
// bytes; what could hide a word from that is refused.
func (z *zipFile) listing(m *member) string {
	const unread = "its list of types cannot be read"
	b, err := io.ReadAll(z.open(m, maxListing+1))
	if err != nil || len(b) > maxListing {
		return unread
	}
	b = bytes.ToLower(b)
	for _, word := range []string{"macroenabled", "vbaproject", "macrosheet"} {
		if bytes.Contains(b, []byte(word)) {
			return macros
		}
	}
	if bytes.ContainsAny(b, "&\x00") || bytes.Contains(b, []byte("<!")) {
		return unread
	}
	return ""
}

// relations reads what a part refers to. Links are for readers to follow;
// templates, objects and parts that lie elsewhere are fetched on opening.
func (z *zipFile) relations(m *member) string {
	const unread = "its relationships cannot be read"
	if m.unpacked > maxRelations {
		return unread
	}
	for d := xml.NewDecoder(z.open(m, maxRelations)); ; {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			return unread
		}
		switch t := t.(type) {
		case xml.Directive:
			return unread
		case xml.StartElement:
			if reason := relation(z.v, t.Attr); reason != "" {
				return reason
			}
		}
	}
}

func relation(v *view, attrs []xml.Attr) string {
	var kind, mode string
	for _, a := range attrs {
		switch a.Name.Local {
		case "Type":
			kind = strings.ToLower(path.Base(a.Value))
		case "TargetMode":
			mode = strings.ToLower(a.Value)
		}
	}
	switch {
	case kind == "vbaproject" || kind == "xlmacrosheet" || kind == "xlintlmacrosheet":
		return macros
	case mode != "external":
	case kind == "attachedtemplate" || kind == "frame" || kind == "subdocument" || kind == "slidemaster":
		v.act("external template")
	case kind == "oleobject" || kind == "package" || kind == "control":
		v.act("external object")
	}
	return ""
}

// checkOpen wants an OpenDocument file of the media type given and without
// macros.
func checkOpen(v *view, mediaType string) string {
	z, reason := openZip(v)
	if reason != "" {
		return reason
	}
	var typed, body bool
	for _, m := range z.members {
		top, _, inside := strings.Cut(strings.ToLower(m.name), "/")
		switch {
		case inside && (top == "basic" || top == "scripts"):
			return macros
		case m.name == "mimetype":
			b, err := io.ReadAll(z.open(m, int64(len(mediaType))+1))
			typed = err == nil && string(b) == mediaType
		case m.name == "content.xml":
			body = true
		case m.name == "META-INF/manifest.xml":
			if z.encrypts(m) {
				return "it is encrypted"
			}
		}
	}
	if !typed || !body {
		return notDoc
	}
	return ""
}

// encrypts reports whether the list of an OpenDocument file says that parts are
// encrypted; one that cannot be read whole may.
func (z *zipFile) encrypts(m *member) bool {
	b, err := io.ReadAll(z.open(m, maxListing+1))
	return err != nil || len(b) > maxListing || bytes.Contains(b, []byte("encryption-data"))
}

// checkOLE wants a compound file (MS-CFB) with the stream that its kind is kept
// in and without macros. The names of streams stand in its directory in UTF-16,
// aligned, whatever the tables say about its order; so they are looked for
// everywhere. What the streams hold is not looked at: macros of Excel 4 are part
// of the sheets.
func checkOLE(v *view, streams ...string) (reason string) {
	main := false
	names := map[string]string{
		"_VBA_PROJECT": macros, "_VBA_PROJECT_CUR": macros, "Macros": macros, "EncryptedPackage": "it is encrypted", "EncryptionInfo": "it is encrypted",
	}
	v.windows(128, func(piece []byte) bool {
		for name, why := range names {
			if entryOLE(piece, name) {
				reason = why
				return false
			}
		}
		for _, s := range streams {
			main = main || entryOLE(piece, s)
		}
		return true
	})
	if reason == "" && !main {
		return notDoc
	}
	return reason
}

// entryOLE looks for the entry of a stream: its name, and its length where the
// entry has that. The same word in a text has none.
func entryOLE(piece []byte, name string) bool {
	const lengthAt = 64
	b := make([]byte, 0, 2*len(name)+2)
	for i := range len(name) {
		b = append(b, name[i], 0)
	}
	b = append(b, 0, 0)
	for {
		i := bytes.Index(piece, b)
		if i < 0 || len(piece) < i+lengthAt+2 {
			return false
		}
		if le16(piece, i+lengthAt) == int64(len(b)) {
			return true
		}
		piece = piece[i+2:]
	}
}
