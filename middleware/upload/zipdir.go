package upload

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
)

// Signatures of a zip file (APPNOTE 6.3.10) and the lengths of what they begin.
const (
	sigLocal, lenLocal     = "PK\x03\x04", 30
	sigEntry, lenEntry     = "PK\x01\x02", 46
	sigEnd, lenEnd         = "PK\x05\x06", 22
	sigEnd64, lenEnd64     = "PK\x06\x06", 56
	sigLocator, lenLocator = "PK\x06\x07", 20
	maxComment             = 1<<16 - 1
)

// directory is where the end of an archive says that its entries are listed.
type directory struct {
	at, size int64
	entries  int64
	until    int64 // where the records of the end begin
	end      int64 // where the file would end
}

func le16(b []byte, at int) int64 { return int64(binary.LittleEndian.Uint16(b[at:])) }
func le32(b []byte, at int) int64 { return int64(binary.LittleEndian.Uint32(b[at:])) }

// le64 gives -1 for what no file has.
func le64(b []byte, at int) int64 {
	if n := binary.LittleEndian.Uint64(b[at:]); n < 1<<62 {
		return int64(n) //nolint:gosec // it fits
	}
	return -1
}

// findDirectory reads the last end record of a file. The 64-bit form must agree
// with the other wherever that states anything: readers take either.
func findDirectory(v *view) (d directory, ok bool) {
	tail := v.tail(lenTail)
	return directoryAt(tail, bytes.LastIndex(tail, []byte(sigEnd)), v.size)
}

// lenTail is how far from the end of a file its records may begin.
const lenTail = lenLocator + lenEnd64 + lenEnd + maxComment

// directoryAt reads the end record at an index of the last bytes of a file.
func directoryAt(tail []byte, i int, size int64) (d directory, ok bool) {
	if i < 0 || len(tail)-i < lenEnd {
		return d, false
	}
	b := tail[i:]
	if le16(b, 4) != 0 && le16(b, 4) != 0xffff || le16(b, 8) != le16(b, 10) { // on several disks
		return d, false
	}
	d = directory{entries: le16(b, 10), size: le32(b, 12), at: le32(b, 16)}
	d.until = size - int64(len(b))
	d.end = d.until + lenEnd + le16(b, 20)
	if i < lenLocator || string(tail[i-lenLocator:i-lenLocator+4]) != sigLocator {
		return d, true
	}
	if i < lenLocator+lenEnd64 {
		return d, false
	}
	far := tail[i-lenLocator-lenEnd64:]
	d.until -= lenLocator + lenEnd64
	if string(far[:4]) != sigEnd64 || le64(far, 4) != lenEnd64-12 || le64(far, lenEnd64+8) != d.until || le64(far, 24) != le64(far, 32) {
		return d, false
	}
	return d, d.take64(le64(far, 32), 0xffff, &d.entries) && d.take64(le64(far, 40), 0xffffffff, &d.size) && d.take64(le64(far, 48), 0xffffffff, &d.at)
}

func (d *directory) take64(wide, unset int64, narrow *int64) bool {
	if *narrow != unset && *narrow != wide || wide < 0 {
		return false
	}
	*narrow = wide
	return true
}

// endsAsZip reports whether a zip reader finds an archive at the end of the file,
// wherever it begins. Readers that do not like the last end record look for one
// before it, so each is tried.
func endsAsZip(v *view) bool {
	tail := v.tail(lenTail)
	for i := bytes.LastIndex(tail, []byte(sigEnd)); i >= 0; i = bytes.LastIndex(tail[:i], []byte(sigEnd)) {
		d, ok := directoryAt(tail, i, v.size)
		if !ok || d.size < lenEntry || d.size > d.until {
			continue
		}
		var b [4]byte
		if _, _ = v.ReadAt(b[:], d.until-d.size); string(b[:]) == sigEntry {
			return true
		}
	}
	return false
}

// member is one entry of an archive, as its directory says.
type member struct {
	name             string
	otherName        string // in Unicode, for readers that prefer it
	flags, method    int64
	crc              uint32
	packed, unpacked int64
	at               int64 // of its header
	data             int64 // of its data
	mode             int64 // of Unix, 0 where unknown
}

// list reads the directory. It must end where the record of the end says, and
// hold as many entries.
func (d directory) list(v *view) ([]*member, string) {
	if d.at < 0 || d.at+d.size != d.until || d.end != v.size {
		return nil, notOnlyZip
	}
	if d.entries > maxEntries {
		return nil, "it has too many entries"
	}
	r := bufio.NewReaderSize(io.NewSectionReader(v, d.at, d.size), windowSize)
	out := make([]*member, 0, d.entries)
	for range d.entries {
		m := readMember(r)
		if m == nil {
			return nil, badZip
		}
		out = append(out, m)
	}
	if _, err := r.ReadByte(); err == nil {
		return nil, badZip
	}
	return out, ""
}

func readMember(r io.Reader) *member {
	var b [lenEntry]byte
	if _, err := io.ReadFull(r, b[:]); err != nil || string(b[:4]) != sigEntry {
		return nil
	}
	n, extra, comment := int(le16(b[:], 28)), int(le16(b[:], 30)), int(le16(b[:], 32))
	rest := make([]byte, n+extra+comment)
	if _, err := io.ReadFull(r, rest); err != nil {
		return nil
	}
	m := &member{
		name: string(rest[:n]), flags: le16(b[:], 8), method: le16(b[:], 10), crc: binary.LittleEndian.Uint32(b[16:]),
		packed: le32(b[:], 20), unpacked: le32(b[:], 24), at: le32(b[:], 42), mode: le32(b[:], 38) >> 16,
	}
	if !m.extra(rest[n : n+extra]) {
		return nil
	}
	return m
}

// extra reads the fields that matter: the 64-bit sizes, and the name in Unicode.
func (m *member) extra(b []byte) bool {
	for len(b) >= 4 {
		id, n := le16(b, 0), int(le16(b, 2))
		if len(b) < 4+n {
			return false
		}
		field := b[4 : 4+n]
		b = b[4+n:]
		switch {
		case id == 0x7075 && n > 5:
			if m.otherName != "" {
				return false
			}
			m.otherName = string(field[5:])
		case id == 1:
			for _, v := range []*int64{&m.unpacked, &m.packed, &m.at} {
				if *v != 0xffffffff {
					continue
				}
				if len(field) < 8 {
					return false
				}
				*v, field = le64(field, 0), field[8:]
			}
		}
	}
	return m.unpacked >= 0 && m.packed >= 0 && m.at >= 0
}

// locate reads the header before an entry's data and reports whether it says
// what the directory does: some readers go by the one, some by the other.
func (m *member) locate(v *view) bool {
	b := make([]byte, lenLocal+len(m.name))
	if _, err := v.ReadAt(b, m.at); err != nil || string(b[:4]) != sigLocal {
		return false
	}
	n := le16(b, 26)
	m.data = m.at + lenLocal + n + le16(b, 28)
	if n != int64(len(m.name)) || string(b[lenLocal:]) != m.name || le16(b, 8) != m.method || (le16(b, 6)^m.flags)&1 != 0 {
		return false
	}
	extra := make([]byte, le16(b, 28))
	if _, err := v.ReadAt(extra, m.at+lenLocal+n); err != nil {
		return false
	}
	here := &member{packed: le32(b, 18), unpacked: le32(b, 22)}
	if !here.extra(extra) || here.otherName != "" && here.otherName != m.name && here.otherName != m.otherName {
		return false
	}
	if le16(b, 6)&8 != 0 && here.packed == 0 && here.unpacked == 0 { // the sizes follow the data
		return true
	}
	return here.packed == m.packed && here.unpacked == m.unpacked
}
