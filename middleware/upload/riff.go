package upload

import (
	"bytes"
	"encoding/binary"
)

// walkWebP goes from chunk to chunk of a RIFF file.
func walkWebP(w *walker) string {
	head := w.take(12)
	left := int64(binary.LittleEndian.Uint32(head[4:])) - 4
	if w.broken || left+12 > w.v.size {
		return notPic
	}
	for left >= 8 {
		head := w.take(8)
		kind, size := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
		padded := size + size&1
		if left -= 8 + padded; left < -1 || w.broken { // the last byte to fill up may be missing
			return notPic
		}
		b := w.take(int(min(size, 16)))
		if w.broken {
			return notPic
		}
		width, height := sizeWebP(kind, b)
		if width > 0 && w.frame(width, height) {
			return large
		}
		if left < 0 {
			padded = size
		}
		if w.skip(padded - int64(len(b))); w.broken {
			return notPic
		}
	}
	if w.frames == 0 {
		return notPic
	}
	w.rest()
	return ""
}

// sizeWebP gives the dimensions that a chunk states, or 0. The canvas counts as
// a picture, and so does each frame on it.
func sizeWebP(kind string, b []byte) (width, height int64) {
	three := func(at int) int64 { return int64(b[at]) | int64(b[at+1])<<8 | int64(b[at+2])<<16 }
	switch {
	case kind == "VP8X" && len(b) >= 10:
		return three(4) + 1, three(7) + 1
	case kind == "ANMF" && len(b) >= 16:
		return three(6) + 1, three(9) + 1
	case kind == "VP8L" && len(b) >= 5 && b[0] == 0x2f:
		bits := int64(binary.LittleEndian.Uint32(b[1:]))
		return bits&0x3fff + 1, bits>>14&0x3fff + 1
	case kind == "VP8 " && len(b) >= 10 && bytes.Equal(b[3:6], []byte{0x9d, 0x01, 0x2a}):
		return int64(binary.LittleEndian.Uint16(b[6:])) & 0x3fff, int64(binary.LittleEndian.Uint16(b[8:])) & 0x3fff
	}
	return 0, 0
}

// checkBMP reads the dimensions from the header, of which there are two.
func checkBMP(v *view) string {
	if len(v.head) < 26 {
		return notPic
	}
	field := func(at int) int64 { return int64(int32(binary.LittleEndian.Uint32(v.head[at:]))) } //nolint:gosec // signed in the file
	width, height := field(18), field(22)
	if field(14) == 12 {
		width, height = field(18)&0xffff, field(18)>>16&0xffff
	}
	if height < 0 { // from top to bottom
		height = -height
	}
	if width <= 0 || height == 0 {
		return notPic
	}
	if width*height > v.pixels {
		return large
	}
	return embedded(v)
}

// checkBoxes looks for the dimensions in a HEIC or AVIF file: each picture, and
// each tile of one, has them in a box of one form.
func checkBoxes(v *view) (reason string) {
	ispe := []byte("\x00\x00\x00\x14ispe")
	found := false
	v.windows(20, func(piece []byte) bool {
		for {
			_, rest, ok := bytes.Cut(piece, ispe)
			if !ok || len(rest) < 12 {
				return true
			}
			found = true
			if width, height := int64(binary.BigEndian.Uint32(rest[4:])), int64(binary.BigEndian.Uint32(rest[8:])); height > 0 && width > v.pixels/height {
				reason = large
				return false
			}
			piece = rest
		}
	})
	switch {
	case reason != "":
		return reason
	case !found:
		return notPic
	}
	return embedded(v)
}

// checkTIFF follows the directories of a TIFF file, each of which is a picture.
func checkTIFF(v *view) string {
	var order binary.ByteOrder = binary.LittleEndian
	if bytes.HasPrefix(v.head, []byte("MM")) {
		order = binary.BigEndian
	}
	if len(v.head) < 8 {
		return notPic
	}
	w := &walker{v: v}
	at := int64(order.Uint32(v.head[4:]))
	left := v.size // directories do not lie in each other
	for ; at != 0; w.frames++ {
		var n [2]byte
		if _, err := v.ReadAt(n[:], at); err != nil || w.frames > maxFrames/10 {
			return notPic
		}
		b := make([]byte, int(order.Uint16(n[:]))*12+4)
		if left -= int64(len(b)); left < 0 {
			return notPic
		}
		if _, err := v.ReadAt(b, at+2); err != nil {
			return notPic
		}
		var size [2]int64 // width and height are tags that follow each other
		for e := b; len(e) > 4; e = e[12:] {
			if tag := order.Uint16(e); tag == 256 || tag == 257 {
				size[tag-256] = int64(order.Uint32(e[8:]))
				if order.Uint16(e[2:]) == 3 { // a short number
					size[tag-256] = int64(order.Uint16(e[8:]))
				}
			}
		}
		w.frames--
		if size[1] > 0 && size[0] > v.pixels/size[1] || w.frame(size[0], size[1]) {
			return large
		}
		at = int64(order.Uint32(b[len(b)-4:]))
	}
	if w.frames == 0 {
		return notPic
	}
	return embedded(v)
}
