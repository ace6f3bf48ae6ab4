package upload

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// maxSVG is the largest SVG: it is the one picture that is read as a document,
// of which a decoder holds the largest piece.
const maxSVG = 2 << 20

const activeSVG = "it has content that is more than a picture"

// checkSVG wants a picture and nothing else: elements that draw, no script, no
// event handlers, no pages inside, nothing that is fetched from elsewhere, no
// entities. It is for routes that list svg; no other kind takes one.
func checkSVG(v *view) string {
	if v.size > maxSVG {
		return "it is larger than an SVG may be"
	}
	d := xml.NewDecoder(v.reader())
	var open []string
	var style strings.Builder // all pieces of one: what stands between them is not seen by its reader
	root := false
	for {
		start := d.InputOffset()
		t, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && root && len(open) == 0:
			return plainSVG(v)
		case err != nil:
			return notPic
		}
		reason := ""
		switch t := t.(type) {
		case xml.StartElement:
			if len(open) == 0 && (root || t.Name.Local != "svg" || t.Name.Space != svgSpace) || len(open) > maxDepth {
				return notPic
			}
			root = true
			open = append(open, strings.ToLower(t.Name.Local))
			reason = startSVG(t)
		case xml.EndElement:
			if open = open[:len(open)-1]; strings.EqualFold(t.Name.Local, "style") {
				reason = activeUnless(plainStyle(style.String()))
				style.Reset()
			}
		case xml.CharData:
			if len(open) > 0 && open[len(open)-1] == "style" {
				style.Write(t)
			}
			reason = activeUnless(bytes.IndexByte(t, '<') < 0 || !v.section(start))
		case xml.Comment:
			reason = activeUnless(len(t) == 0 || t[0] != '>') // the end, to a reader of HTML
		case xml.ProcInst:
			reason = activeUnless(t.Target == "xml" && !bytes.ContainsAny(t.Inst, "<>"))
		case xml.Directive:
			reason = activeUnless(plainDoctype(string(t)))
		}
		if reason != "" {
			return reason
		}
	}
}

func activeUnless(plain bool) string {
	if plain {
		return ""
	}
	return activeSVG
}

// section reports whether a section of unescaped text begins at an offset. In
// HTML it may not be one, and tags in it are tags.
func (v *view) section(at int64) bool {
	const begin = "<![CDATA["
	var b [len(begin)]byte
	_, _ = v.ReadAt(b[:], at)
	return string(b[:]) == begin
}

// plainSVG looks for what another parser than that of XML would see.
func plainSVG(v *view) (reason string) {
	v.windows(16, func(piece []byte) bool {
		lower := bytes.ToLower(piece)
		for _, word := range []string{"<script", "<foreignobject", "<iframe", "<!entity", "<!attlist", "<?php"} {
			if bytes.Contains(lower, []byte(word)) {
				reason = activeSVG
			}
		}
		return reason == ""
	})
	return reason
}

const svgSpace = "http://www.w3.org/2000/svg"

// drawing are the elements that draw, or describe what is drawn.
const drawing = " svg g defs symbol use title desc metadata path rect circle ellipse line polyline polygon text tspan textpath tref image " +
	"marker lineargradient radialgradient meshgradient stop clippath mask pattern filter style switch view a animate animatemotion animatetransform " +
	"animatecolor set mpath font font-face glyph missing-glyph hkern vkern altglyph color-profile solidcolor hatch hatchpath feblend fecolormatrix " +
	"fecomponenttransfer fecomposite feconvolvematrix fediffuselighting fedisplacementmap fedistantlight fedropshadow feflood fefunca fefuncb " +
	"fefuncg fefuncr fegaussianblur feimage femerge femergenode femorphology feoffset fepointlight fespecularlighting fespotlight fetile feturbulence "

// startSVG judges an element. Those of editors are in spaces of their own, and
// mean nothing to a browser.
func startSVG(t xml.StartElement) string {
	local := strings.ToLower(t.Name.Local)
	switch space := strings.ToLower(t.Name.Space); {
	case space == svgSpace || space == "":
		if !strings.Contains(drawing, " "+local+" ") {
			return activeSVG
		}
	case strings.HasPrefix(space, "http://www.w3.org/") && !strings.HasSuffix(space, "rdf-syntax-ns#"), strings.Contains(space, "mozilla.org"):
		return activeSVG
	case local == "script" || local == "handler" || local == "listener" || local == "iframe" || local == "foreignobject":
		return activeSVG
	}
	for _, a := range t.Attr {
		if !plainAttr(local, a) {
			return activeSVG
		}
	}
	return ""
}

// plainAttr judges an attribute. Whoever reads values drops white space and
// controls in them, so they are judged without.
func plainAttr(element string, a xml.Attr) bool {
	key := strings.ToLower(a.Name.Local)
	value := strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, strings.ToLower(a.Value))
	switch {
	case a.Name.Space == "xmlns" || a.Name.Space == "" && key == "xmlns":
		return true
	case strings.HasPrefix(key, "on"), key == "base" && a.Name.Space != "":
		return false
	case strings.Contains(value, "script:"), !plainStyle(value):
		return false
	case key == "attributename":
		return !strings.HasPrefix(value, "on") && !strings.HasSuffix(value, "href")
	case key == "href" || key == "src":
		link := element == "a" && (strings.HasPrefix(value, "https://") || strings.HasPrefix(value, "http://") || strings.HasPrefix(value, "mailto:"))
		return value == "" || value[0] == '#' || link || plainData(value)
	}
	return true
}

// plainStyle reports whether a style, or an attribute that may have one's
// values, refers to nothing but parts of the picture.
func plainStyle(s string) bool {
	s = strings.ToLower(s)
	for _, word := range []string{"@import", "expression(", "script:", "-moz-binding", "behavior:", "image-set("} {
		if strings.Contains(s, word) {
			return false
		}
	}
	for rest, ok := s, true; ; {
		if _, rest, ok = strings.Cut(rest, "url("); !ok {
			// An escape could write what is looked for in another way.
			return !strings.Contains(s, `\`) || !strings.ContainsAny(s, "(@:")
		}
		if to := strings.TrimLeft(rest, " \t\r\n\"'"); !strings.HasPrefix(to, "#") && !plainData(to) {
			return false
		}
	}
}

// plainData reports whether a value begins as a picture or a font in itself.
func plainData(s string) bool {
	for _, t := range []string{"image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp", "font/", "application/font", "application/x-font"} {
		if strings.HasPrefix(s, "data:"+t) {
			return true
		}
	}
	return false
}

// plainDoctype accepts the declarations that drawing programs write, which name
// what every reader knows.
func plainDoctype(s string) bool {
	s = strings.Join(strings.Fields(s), " ")
	return strings.EqualFold(s, "DOCTYPE svg") ||
		strings.HasPrefix(s, `DOCTYPE svg PUBLIC "-//W3C//DTD SVG `) && strings.Count(s, `"`) == 4 && !strings.ContainsAny(s, "[<>") &&
			(strings.Contains(s, `" "http://www.w3.org/Graphics/SVG/`) || strings.Contains(s, `" "http://www.w3.org/TR/`))
}
