package sanitize

import "strings"

// sqlWords tells texts that libinjection cannot flag from those that it has to
// look at. It looks at what most fields hold (a name, a number, a line of plain
// words) in a few nanoseconds instead of a microsecond, and never says
// anything else than libinjection would.
//
// Why: libinjection reads a text as tokens of SQL and flags some sequences of
// their kinds. In a text of letters, digits, blanks, dots, commas and question
// marks, tokens are words, numbers and those marks, and each sequence that is
// flagged holds at least one word of a kind that only some words are of:
// statements, SELECT and UNION, AND and OR, operators such as IS and LIKE, types,
// COLLATE, and other reserved words. Those words are listed below, and one word
// of each phrase that is taken for one. The tests read the tables of the library
// and hold all of this against them.
type sqlWords struct {
	class   [256]byte
	known   map[string]struct{}
	lengths [26]uint64 // by first letter: a bit for each length that a word has
}

// What a byte is in a text.
const (
	beyond byte = iota // of anything but plain text
	blank
	digit
	letter
)

// keywords are the words that one of is in every text of words alone that is
// flagged.
const keywords = `
abort accessible against all_users alter analyze and anyarray anyelement anynonarry as asc asensitive
autoincrement before begin between bigint bigserial binary blob boolean both bytea call cascade case change
character collate column condition constraint continue count_big create cstring cursor databases day_hour
day_microsecond day_minute day_second dec decimal declare default delay delayed delete desc describe
deterministic distinct distinctrow div double drop each else elseif enclosed eqv escaped except exec execute
exit explain fetch float float4 float8 force foreign from full fulltext function go goto grant group handler
having high_priority hour_microsecond hour_minute hour_second ignore in index infile inner inout insensitive
insert int int1 int2 int3 int4 int8 integer intersect interval into is iterate join keys kill leading leave
left like limit linear lines load lock longblob longtext loop low_priority master_bind
master_ssl_verify_server_cert match maxvalue mediumblob mediumint mediumtext merge middleint
minute_microsecond minute_second mod modifies money natural next not notnull nowait no_write_to_binlog numeric
offset oid one_shot open optimize option optionally or order outfile own3d partition precision previous
primary print procedure purge raiseerror range read reads read_write real references regclass regconfig
regdictionary regexp regoper regoperator regproc regprocedure regtype release rename repeat replace require
resignal restrict return revoke right rlike schema schemas second_microsecond select sensitive separator
serial serial2 serial4 serial8 set shutdown signal similar smallint smallserial sounds spatial specific sql
sqlexception sqlstate sqlwarning sql_big_result sql_buffer_result sql_cache sql_calc_found_rows sql_no_cache
sql_small_result ssl starting straight_join syscolumns sysobjects sysusers terminated text then time timestamp
tinyblob tinyint tinytext top trigger try uescape undo union uni_on unlock unsigned update usage use utc_date
utc_time utc_timestamp values varbinary varchar varcharacter varying void wait waitfor when where while with
xor xp_execresultset year_month zerofill`

func newSQLWords() *sqlWords {
	w := &sqlWords{known: map[string]struct{}{}}
	for _, c := range " \t\n\r.,?" {
		w.class[c] = blank
	}
	for c := range w.class {
		switch {
		case '0' <= c && c <= '9':
			w.class[c] = digit
		case 'a' <= c|0x20 && c|0x20 <= 'z', c == '_', c >= 0x80:
			w.class[c] = letter
		}
	}
	// To libinjection it is the no-break space of Latin-1.
	w.class[0xa0] = blank
	for _, k := range strings.Fields(keywords) {
		w.known[k] = struct{}{}
		w.lengths[k[0]-'a'] |= 1 << len(k)
	}
	return w
}

// harmless reports whether libinjection is known not to flag a text.
func (w *sqlWords) harmless(text []byte) bool {
	if w == nil {
		return false
	}
	for i := 0; i < len(text); {
		kind := w.class[text[i]]
		if kind == blank {
			i++
			continue
		}
		start, all := i, byte(0)
		for ; i < len(text) && w.class[text[i]] != blank; i++ {
			k := w.class[text[i]]
			if k == beyond || text[i] >= 0x80 && folds(text[i:]) {
				return false
			}
			all |= k
		}
		// What follows a number without a blank is a word of its own.
		if kind == digit && all != digit || kind == letter && w.has(text[start:i]) {
			return false
		}
	}
	return true
}

// folds reports whether a character is one of the two beyond ASCII whose capital
// is in it: the dotless i and the long s.
func folds(text []byte) bool {
	return len(text) > 1 && (text[0] == 0xc4 && text[1] == 0xb1 || text[0] == 0xc5 && text[1] == 0xbf)
}

func (w *sqlWords) has(word []byte) bool {
	var low [32]byte
	if word[0] == '_' {
		return true // the character sets of MySQL are written so: _utf8
	}
	first := (word[0] | 0x20) - 'a'
	if len(word) > len(low) || first >= 26 || w.lengths[first]>>len(word)&1 == 0 {
		return false
	}
	for i, c := range word {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		low[i] = c
	}
	_, ok := w.known[string(low[:len(word)])]
	return ok
}
