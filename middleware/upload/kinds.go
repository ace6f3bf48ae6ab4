package upload

import (
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// kind is what is known about the files of one extension.
type kind struct {
	// declared are the media types that clients name such files by.
	declared []string
	// found are the media types that the content may be recognized as.
	found []string
	// check looks closer than a magic number does. It gives "" or a reason.
	check func(v *view) string
}

// Media types that several extensions share.
const (
	officePrefix = "application/vnd.openxmlformats-officedocument."
	openPrefix   = "application/vnd.oasis.opendocument."
	zipType      = "application/zip"
)

// kindOf gives the kind of an extension, in lower case and without its dot.
func kindOf(ext string) (kind, error) {
	if k, ok := kinds()[ext]; ok {
		return k, nil
	}
	// An extension beyond the table is taken where the system names its media
	// type and content of that type can be recognized.
	declared, _, err := mime.ParseMediaType(mime.TypeByExtension("." + ext))
	if m := mimetype.Lookup(declared); err == nil && m != nil && m.String() != "application/octet-stream" {
		base, _, _ := strings.Cut(m.String(), ";")
		return kind{declared: []string{declared, base}, found: []string{base}}, nil
	}
	return kind{}, fmt.Errorf("upload: the content of .%s files cannot be recognized, so they cannot be accepted", ext)
}

// kinds is the table of what can be told apart well.
func kinds() map[string]kind {
	one := func(t string, alias ...string) kind {
		return kind{declared: append([]string{t}, alias...), found: []string{t}}
	}
	with := func(k kind, check func(*view) string) kind {
		k.check = check
		return k
	}
	jpeg := with(one("image/jpeg", "image/jpg", "image/pjpeg"), checkJPEG)
	tiff := one("image/tiff")
	all := map[string]kind{
		"pdf":  with(one("application/pdf", "application/x-pdf"), checkPDF),
		"png":  with(kind{declared: []string{"image/png", "image/x-png"}, found: []string{"image/png", "image/apng"}}, checkPNG),
		"jpg":  jpeg,
		"jpeg": jpeg,
		"gif":  with(one("image/gif"), checkGIF),
		"webp": with(one("image/webp"), checkImage),
		"avif": with(one("image/avif"), checkImage),
		"heic": with(kind{declared: []string{"image/heic", "image/heif"}, found: []string{"image/heic", "image/heif"}}, checkImage),
		"bmp":  with(one("image/bmp", "image/x-bmp", "image/x-ms-bmp"), checkImage),
		"tif":  with(tiff, checkImage),
		"tiff": with(tiff, checkImage),
		"rtf":  one("text/rtf", "application/rtf"),
		"zip":  with(one(zipType, "application/x-zip-compressed", "application/x-zip"), checkZip),
		"gz":   one("application/gzip", "application/x-gzip"),
		"7z":   one("application/x-7z-compressed"),
		"mp3":  one("audio/mpeg", "audio/mp3", "audio/x-mpeg"),
		"wav":  one("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"),
		"flac": one("audio/flac", "audio/x-flac"),
		"m4a":  {declared: []string{"audio/mp4", "audio/x-m4a", "audio/m4a"}, found: []string{"audio/x-m4a", "audio/mp4"}},
		"ogg":  {declared: []string{"audio/ogg", "video/ogg", "application/ogg"}, found: []string{"audio/ogg", "video/ogg", "application/ogg"}},
		"mp4":  {declared: []string{"video/mp4"}, found: []string{"video/mp4", "video/x-m4v"}},
		"mov":  one("video/quicktime"),
		"webm": one("video/webm", "audio/webm"),
		"doc":  {declared: []string{"application/msword"}, found: []string{"application/msword", "application/x-ole-storage"}},
		"xls":  {declared: []string{"application/vnd.ms-excel"}, found: []string{"application/vnd.ms-excel", "application/x-ole-storage"}},
		"ppt":  {declared: []string{"application/vnd.ms-powerpoint"}, found: []string{"application/vnd.ms-powerpoint", "application/x-ole-storage"}},
	}
	addTexts(all)
	addOffice(all)
	return all
}

// addTexts adds the kinds that are recognized by what they are not.
func addTexts(all map[string]kind) {
	plain := []string{
		"text/plain", "text/csv", "text/tab-separated-values", "text/vcard", "text/calendar", "text/vtt",
		"application/json", "application/geo+json", "application/x-ndjson", "application/x-subrip",
	}
	all["txt"] = kind{declared: []string{"text/plain"}, found: plain, check: checkText}
	all["md"] = kind{declared: []string{"text/markdown", "text/x-markdown", "text/plain"}, found: plain, check: checkText}
	all["log"] = kind{declared: []string{"text/plain", "text/x-log"}, found: plain, check: checkText}
	// A browser on a machine with a spreadsheet calls CSV what that calls it.
	all["csv"] = kind{declared: []string{"text/csv", "application/csv", "application/vnd.ms-excel", "text/plain"}, found: plain, check: checkText}
	all["json"] = kind{declared: []string{"application/json", "text/json"}, found: plain, check: checkJSON}
}

// addOffice adds documents that are zip archives. Which one an archive is, its
// directory says: to a magic number it may be any archive, or another
// document with macros.
func addOffice(all map[string]kind) {
	for ext, d := range map[string]struct{ subtype, main string }{
		"docx": {"wordprocessingml.document", "word/document.xml"},
		"xlsx": {"spreadsheetml.sheet", "xl/workbook.xml"},
		"pptx": {"presentationml.presentation", "ppt/presentation.xml"},
	} {
		t := officePrefix + d.subtype
		all[ext] = kind{declared: []string{t}, found: []string{t, zipType}, check: func(v *view) string { return checkOffice(v, d.main) }}
	}
	for ext, subtype := range map[string]string{"odt": "text", "ods": "spreadsheet", "odp": "presentation"} {
		t := openPrefix + subtype
		all[ext] = kind{declared: []string{t}, found: []string{t, zipType}, check: func(v *view) string { return checkOpen(v, t) }}
	}
}

// declares reports whether a declared media type fits. One that says nothing
// fits every kind.
func (k kind) declares(t string) bool {
	return t == "" || t == "application/octet-stream" || slices.Contains(k.declared, t)
}

// finds gives the media type of a file whose content is recognized as one of
// the kind.
func (k kind) finds(head []byte) (mediaType string, ok bool) {
	found := mimetype.Detect(head)
	if !slices.ContainsFunc(k.found, found.Is) {
		return "", false
	}
	switch t, _, _ := strings.Cut(found.String(), ";"); t {
	case zipType, "application/x-ole-storage": // a container; the kind's own check knows of what
		return k.found[0], true
	default:
		return t, true
	}
}
