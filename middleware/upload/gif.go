package upload

import (
	"encoding/binary"
	"image/gif"
)

// walkGIF goes from block to block.
func walkGIF(w *walker) string {
	c, err := gif.DecodeConfig(w.v.reader())
	if err != nil {
		return notPic
	}
	if int64(c.Width)*int64(c.Height) > w.v.pixels {
		return large
	}
	head := w.take(13)
	w.skip(colors(head[10]))
	for {
		block, err := w.ReadByte()
		switch {
		case w.broken, err != nil && w.frames == 0:
			return notPic
		case err != nil: // browsers do not miss the last byte
			return ""
		case block == 0x3b:
			if w.frames == 0 {
				return notPic
			}
			w.rest()
			return ""
		case block == 0x21:
			w.take(1)
		case block == 0x2c:
			d := w.take(9)
			if w.frame(int64(binary.LittleEndian.Uint16(d[4:])), int64(binary.LittleEndian.Uint16(d[6:]))) {
				return large
			}
			w.skip(colors(d[8]) + 1)
		default:
			return notPic
		}
		for n := byte(1); n > 0 && !w.broken; { // its data, piece by piece
			n = w.take(1)[0]
			w.skip(int64(n))
		}
	}
}

// colors is how many bytes a table of colors takes, of which a flag says whether
// it is there and how large.
func colors(flags byte) int64 {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}
