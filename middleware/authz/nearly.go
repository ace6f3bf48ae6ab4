package authz

import (
	"bytes"
	"errors"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

var errNearly = errors.New("a field is nearly JSON, and has the name of what is protected")

// nearly refuses a text of a form that is no JSON and that lenient parsers take
// for it, with NaN (Python), comments, other quotes or a comma too many
// (Newtonsoft), if it may have a member by the name of one that is protected.
// What its places are nobody can say.
func (p *protection) nearly(data []byte) error {
	data = bytes.TrimSpace(data)
	if len(data) < 2 || strings.IndexByte("}]", data[len(data)-1]) < 0 {
		return nil
	}
	if inner := bytes.TrimLeft(data, "[ \t\r\n"); len(inner) == 0 || inner[0] != '{' && !bytes.HasPrefix(data, []byte("/*")) {
		return nil
	}
	if bytes.Contains(data, []byte(`\u`)) {
		return notJSON(errNearly) // names may be spelled with it
	}
	for piece := range bytes.SplitSeq(data, []byte(":")) {
		name := string(piece[bytes.LastIndexAny(piece, "{,")+1:])
		name = redact.Fold(strings.Trim(name, " \t\r\n'\""))
		for _, known := range p.names {
			if name == known || strings.Contains(name, known) && strings.Contains(name, "*/") {
				return notJSON(errNearly)
			}
		}
	}
	return nil
}
