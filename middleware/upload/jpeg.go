package upload

import (
	"bufio"
	"encoding/binary"
	"errors"
)

// walkJPEG goes from segment to segment, and over the data of each scan. Three
// bytes make a JPEG to a magic number; here it needs a frame and a scan.
func walkJPEG(w *walker) string {
	w.take(2)
	scans := 0
	for {
		marker, ok := w.marker(scans > 0)
		switch {
		case !ok:
			return notPic
		case marker == 0xd9:
			if w.frames == 0 || scans == 0 {
				return notPic
			}
			w.rest()
			return ""
		case marker == 0x01 || 0xd0 <= marker && marker <= 0xd7:
			continue
		}
		size := int64(binary.BigEndian.Uint16(w.take(2))) - 2
		if w.broken || size < 0 {
			return notPic
		}
		switch {
		case marker == 0xda:
			scans++
		case 0xc0 <= marker && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			d := w.take(6)
			height, width := int64(binary.BigEndian.Uint16(d[1:])), int64(binary.BigEndian.Uint16(d[3:]))
			if size -= 6; size < 3 || width == 0 || height == 0 || d[5] == 0 {
				return notPic
			}
			if w.frame(width, height) {
				return large
			}
		}
		w.skip(size)
	}
}

// marker gives the next marker of a JPEG. Behind the beginning of a scan it is
// looked for; elsewhere it must come next.
func (w *walker) marker(scan bool) (byte, bool) {
	for {
		c, err := w.ReadByte()
		for err == nil && scan && c != 0xff {
			switch _, err = w.ReadSlice(0xff); {
			case err == nil:
				c = 0xff
			case errors.Is(err, bufio.ErrBufferFull):
				err = nil
			}
		}
		if err != nil || w.broken || c != 0xff {
			return 0, false
		}
		for c == 0xff && err == nil { // it may be filled up
			c, err = w.ReadByte()
		}
		if err != nil || c != 0 || !scan {
			return c, err == nil && c != 0
		}
	}
}
