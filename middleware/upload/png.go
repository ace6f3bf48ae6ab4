package upload

import (
	"encoding/binary"
	"image/png"
)

// deflateMost is how many bytes one byte of deflate unpacks to, at most.
const deflateMost = 1032

// walkPNG goes from chunk to chunk. A picture that states more pixels than its
// data can unpack to is none.
func walkPNG(w *walker) string {
	c, err := png.DecodeConfig(w.v.reader())
	if err != nil {
		return notPic
	}
	w.take(8)
	var data, frames int64
	depth, kind := int64(8), byte(0)
	for first := true; ; first = false {
		head := w.take(8)
		size, chunk := int64(binary.BigEndian.Uint32(head)), string(head[4:])
		if w.broken || first != (chunk == "IHDR") || size > 1<<31-1 {
			return notPic
		}
		switch chunk {
		case "IHDR":
			b := w.take(13)
			depth, kind, size = int64(b[8]), b[9], size-13
		case "IDAT":
			data += size
		case "fcTL":
			frames++
		}
		if w.skip(size + 4); w.broken {
			return notPic
		}
		if chunk == "IEND" {
			break
		}
	}
	width, height := int64(c.Width), int64(c.Height)
	if width*height > w.v.pixels || frames > maxFrames || frames > 1 && frames*width*height > maxMovie*w.v.pixels {
		return large
	}
	row := (width*depth*channels(kind)+7)/8 + 1
	if data == 0 || height*row > data*deflateMost {
		return notPic
	}
	w.rest()
	return ""
}

// channels is how many values a pixel has, by the kind of color of its picture.
func channels(kind byte) int64 {
	switch kind {
	case 2:
		return 3
	case 4:
		return 2
	case 6:
		return 4
	}
	return 1
}
