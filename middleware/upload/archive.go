package upload

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/flate"
	"hash/crc32"
	"io"
	"path"
	"slices"
	"strings"
)

// Bounds of archives. They keep a small file from becoming a large one behind
// the gateway.
const (
	maxEntries  = 10_000
	maxRatio    = 100     // unpacked size over packed size, of the whole
	alwaysSmall = 1 << 20 // unpacked bytes that need no ratio
	maxPath     = 1024    // of the name of an entry, in bytes
	maxFolders  = 64      // in the name of an entry
	maxGap      = 24      // between two entries: what is said behind the data of one
)

const (
	notOnlyZip = "it is more than one archive, or not only an archive"
	badZip     = "its directory cannot be read"
	badEntry   = "it has an entry that is not what the directory says"
)

// zipFile is an archive that was judged.
type zipFile struct {
	v       *view
	members []*member
}

// openZip reads the directory of an archive and judges it, and with it all that
// the entries unpack to: what the directory says of sizes is what somebody wrote
// there.
//
// The entries must be all that the file is, from its first byte on, one after
// the other. Then readers that start at the front find what those do that start
// at the end, and no data is unpacked twice.
func openZip(v *view) (*zipFile, string) {
	if !bytes.HasPrefix(v.head, []byte(sigLocal)) {
		return nil, "it does not start as an archive does"
	}
	d, ok := findDirectory(v)
	if !ok {
		return nil, badZip
	}
	members, reason := d.list(v)
	if reason != "" {
		return nil, reason
	}
	if len(members) == 0 {
		return nil, badZip
	}
	var unpacked int64
	names := make(map[string]bool, len(members))
	for _, m := range members {
		if reason := m.check(); reason != "" {
			return nil, reason
		}
		folded := strings.ToLower(m.name)
		if names[folded] {
			return nil, "it has an entry twice"
		}
		names[folded] = true
		if unpacked += min(m.unpacked, 1<<50); unpacked > alwaysSmall && unpacked/maxRatio > v.size {
			return nil, tooMuch
		}
	}
	for _, m := range members {
		if !m.locate(v) {
			return nil, badEntry
		}
	}
	if !gapless(members, d.at) {
		return nil, notOnlyZip
	}
	return &zipFile{v, members}, unpackAll(v, members)
}

// check judges what the directory says of an entry.
func (m *member) check() string {
	switch {
	case m.flags&(1|1<<6|1<<13) != 0 || m.method == 99:
		return "it is encrypted"
	case leavesFolder(m.name) || m.otherName != "" && leavesFolder(m.otherName) || m.special():
		return "it has an entry that leaves its folder"
	case len(m.name) > maxPath || strings.Count(m.name, "/") > maxFolders:
		return "it has an entry with a path that is too long"
	case m.method != 0 && m.method != 8:
		return "it has an entry that is packed in a way that is not known here"
	case m.method == 0 && m.packed != m.unpacked:
		return badEntry
	}
	return ""
}

// special is true of links, by which a later entry goes where they lead, and of
// devices.
func (m *member) special() bool {
	kind := m.mode & 0xf000
	return kind != 0 && kind != 0x8000 && kind != 0x4000
}

// leavesFolder reports whether an entry could be unpacked elsewhere, or under a
// name that is not the one shown.
func leavesFolder(s string) bool {
	if s == "" || s[0] == '/' || strings.ContainsAny(s, "\\:") || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 }) {
		return true
	}
	for part := range strings.SplitSeq(s, "/") {
		if strings.TrimRight(part, " ") == ".." {
			return true
		}
	}
	return false
}

// gapless reports whether the entries fill the file up to the directory.
func gapless(members []*member, directory int64) bool {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(a, b *member) int { return cmp.Compare(a.at, b.at) })
	end := int64(0)
	for i, m := range sorted {
		if gap := m.at - end; gap < 0 || gap > maxGap || i == 0 && gap > 0 {
			return false
		}
		if end = m.data + m.packed; m.packed > directory {
			return false
		}
	}
	return end <= directory && directory-end <= maxGap
}

// unpackAll reads all entries and holds none. Each must be what the directory
// says: readers that do not count would unpack more.
func unpackAll(v *view, members []*member) string {
	packed := bufio.NewReaderSize(nil, windowSize)
	inflate := flate.NewReader(packed)
	buf := make([]byte, windowSize)
	for _, m := range members {
		packed.Reset(io.NewSectionReader(v, m.data, m.packed))
		var src io.Reader = packed
		if m.method == 8 {
			_ = inflate.(flate.Resetter).Reset(packed, nil)
			src = inflate
		}
		sum := crc32.NewIEEE()
		n, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{io.LimitReader(src, m.unpacked+1)}, buf)
		if err != nil || n != m.unpacked || sum.Sum32() != m.crc {
			return badEntry
		}
	}
	return ""
}

// open reads an entry, at most limit bytes of it.
func (z *zipFile) open(m *member, limit int64) io.Reader {
	var src io.Reader = bufio.NewReaderSize(io.NewSectionReader(z.v, m.data, m.packed), 4<<10)
	if m.method == 8 {
		src = flate.NewReader(src)
	}
	return io.LimitReader(src, limit)
}

// checkZip notes archives in an archive. They are not opened: what unpacks them
// has to count for itself.
func checkZip(v *view) string {
	z, reason := openZip(v)
	if reason != "" {
		return reason
	}
	for _, m := range z.members {
		switch strings.ToLower(path.Ext(m.name)) {
		case ".zip", ".7z", ".rar", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".zst", ".jar", ".war", ".iso", ".cab":
			v.nested = true
		}
	}
	return ""
}
