package alert

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"unicode/utf8"
)

// Version of OCSF that events are written in.
const ocsfVersion = "1.8.0"

// What values, evidence and a whole event may take at most: a syslog server should
// take 8 KiB, with a header of its own (RFC 5425, section 4.3.1).
const (
	maxText     = 160
	maxEvidence = 16
	maxEvent    = 7 << 10
)

// The types below are the parts of OCSF's classes 2004 (Detection Finding, with
// the profile security_control) and 3002 (Authentication) that are filled in.
type ocsfEvent struct {
	ActivityID   int    `json:"activity_id"`
	ActivityName string `json:"activity_name"`
	CategoryUID  int    `json:"category_uid"`
	CategoryName string `json:"category_name"`
	ClassUID     int    `json:"class_uid"`
	ClassName    string `json:"class_name"`
	TypeUID      int    `json:"type_uid"`
	SeverityID   int    `json:"severity_id"`
	Severity     string `json:"severity"`
	Time         int64  `json:"time"` // milliseconds
	StartTime    int64  `json:"start_time,omitempty"`
	EndTime      int64  `json:"end_time,omitempty"`
	Count        int64  `json:"count,omitempty"`
	Message      string `json:"message"`
	StatusID     int    `json:"status_id"`
	Status       string `json:"status"`

	// Of a Detection Finding.
	IsAlert       *bool          `json:"is_alert,omitempty"`
	ActionID      int            `json:"action_id,omitempty"`
	Action        string         `json:"action,omitempty"`
	DispositionID int            `json:"disposition_id,omitempty"`
	Disposition   string         `json:"disposition,omitempty"`
	FindingInfo   *ocsfFinding   `json:"finding_info,omitempty"`
	Evidences     []ocsfEvidence `json:"evidences,omitempty"`

	// Of an Authentication.
	User        *ocsfUser     `json:"user,omitempty"`
	SrcEndpoint *ocsfEndpoint `json:"src_endpoint,omitempty"`
	Service     *ocsfService  `json:"service,omitempty"`
	IsRemote    bool          `json:"is_remote,omitempty"`

	Metadata ocsfMetadata `json:"metadata"`
	Unmapped *ocsfOwn     `json:"unmapped,omitempty"`
}

type ocsfMetadata struct {
	Version        string      `json:"version"`
	UID            string      `json:"uid"`
	CorrelationUID string      `json:"correlation_uid,omitempty"`
	Product        ocsfProduct `json:"product"`
	Profiles       []string    `json:"profiles,omitempty"`
	Labels         []string    `json:"labels,omitempty"`
}

type ocsfProduct struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
	Version    string `json:"version"`
}

type ocsfFinding struct {
	UID      string       `json:"uid"`
	Title    string       `json:"title"`
	Types    []string     `json:"types"`
	Analytic ocsfAnalytic `json:"analytic"`
}

type ocsfAnalytic struct {
	UID    string `json:"uid"`
	Name   string `json:"name"`
	TypeID int    `json:"type_id"`
	Type   string `json:"type"`
}

type ocsfEvidence struct {
	SrcEndpoint *ocsfEndpoint     `json:"src_endpoint,omitempty"`
	Actor       *ocsfActor        `json:"actor,omitempty"`
	Data        map[string]string `json:"data,omitempty"`
}

type ocsfActor struct {
	User *ocsfUser `json:"user"`
}

type ocsfUser struct {
	UID    string `json:"uid"`
	UIDAlt string `json:"uid_alt,omitempty"`
	Domain string `json:"domain,omitempty"`
}

type ocsfEndpoint struct {
	IP string `json:"ip"`
}

type ocsfService struct {
	Name string `json:"name"`
}

// ocsfOwn is what OCSF has no attributes for.
type ocsfOwn struct {
	Detector  string `json:"detector,omitempty"`
	Address   string `json:"address,omitempty"`
	Tenant    string `json:"tenant,omitempty"`
	Role      string `json:"role,omitempty"`
	Route     string `json:"route,omitempty"`
	Action    string `json:"action,omitempty"`
	Mode      string `json:"mode,omitempty"`
	Counted   int64  `json:"counted,omitempty"`
	Threshold int64  `json:"threshold,omitempty"`
	WindowMS  int64  `json:"window_ms,omitempty"`
	Block     string `json:"block,omitempty"`
	UntilMS   int64  `json:"until,omitempty"`
	Held      int64  `json:"held_back,omitempty"`
	Lost      int64  `json:"lost_before,omitempty"`
	Test      bool   `json:"test,omitempty"`
}

// encode writes an event as OCSF has it, in ASCII. The version is that of the
// product. Evidence that there is no room for is left out.
func (r *record) encode(version string) ([]byte, error) {
	e := r.common(version)
	if r.Class == Authentication {
		r.authentication(e)
	} else {
		r.finding(e)
	}
	e.TypeUID = e.ClassUID*100 + e.ActivityID
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	if text = ascii(text); len(text) > maxEvent && len(r.Evidence) > 0 {
		less := *r
		less.Evidence = r.Evidence[:len(r.Evidence)/2]
		return less.encode(version)
	}
	return text, nil
}

func (r *record) common(version string) *ocsfEvent {
	e := &ocsfEvent{
		SeverityID: r.Severity.rank(), Severity: r.Severity.caption(), Time: r.Time.UnixMilli(), Message: r.title(),
		Metadata: ocsfMetadata{
			Version: ocsfVersion, UID: r.ID, CorrelationUID: r.RequestID,
			Product: ocsfProduct{Name: "Gatehouse", VendorName: "Gatehouse", Version: version},
		},
		Unmapped: &ocsfOwn{
			Detector: r.Detector, Tenant: short(r.Tenant), Role: short(r.Role), Route: r.Route, Action: r.Action,
			Counted: r.Count, Threshold: r.Threshold, WindowMS: r.Window.Milliseconds(), Block: r.Block,
			Held: r.Held, Lost: r.Lost, Test: r.Test,
		},
	}
	if r.Address.IsValid() {
		e.Unmapped.Address = r.Address.String()
	}
	if !r.Until.IsZero() {
		e.Unmapped.UntilMS = r.Until.UnixMilli()
	}
	if r.Test {
		e.Metadata.Labels = []string{"test"}
	}
	return e
}

// finding fills in what a Detection Finding has.
func (r *record) finding(e *ocsfEvent) {
	e.CategoryUID, e.CategoryName, e.ClassUID, e.ClassName = 2, "Findings", int(Finding), "Detection Finding"
	e.ActivityID, e.ActivityName = 1, "Create"
	e.StatusID, e.Status = 1, "New"
	if r.Update {
		e.ActivityID, e.ActivityName = 2, "Update"
	}
	if r.Held > 0 {
		e.Count, e.StartTime, e.EndTime = r.Held, r.Since.UnixMilli(), r.Time.UnixMilli()
	}
	alert := !r.Test
	e.IsAlert = &alert
	e.Metadata.Profiles = []string{"security_control"}
	// What was only noticed is Observed; what is kept out is Denied.
	e.ActionID, e.Action, e.DispositionID, e.Disposition = 3, "Observed", 19, "Alert"
	e.Unmapped.Mode = "observe"
	if r.Enforced {
		e.Unmapped.Mode = "enforce"
		switch r.Action {
		case "block_address", "block_subject":
			e.ActionID, e.Action, e.DispositionID, e.Disposition = 2, "Denied", 2, "Blocked"
		case "step_up":
			e.ActionID, e.Action, e.DispositionID, e.Disposition = 2, "Denied", 23, "Challenge"
		}
	}
	name := r.Detector
	if name == "" {
		name = "test"
	}
	e.FindingInfo = &ocsfFinding{
		UID: r.Finding, Title: r.title(), Types: []string{name},
		Analytic: ocsfAnalytic{UID: name, Name: name, TypeID: 1, Type: "Rule"},
	}
	e.Evidences = r.evidences()
}

// authentication fills in what an Authentication has. Who it was is known by a
// digest of the username alone, unless a token tells.
func (r *record) authentication(e *ocsfEvent) {
	e.CategoryUID, e.CategoryName, e.ClassUID, e.ClassName = 3, "Identity & Access Management", int(Authentication), "Authentication"
	e.ActivityID, e.ActivityName = 1, "Logon"
	e.StatusID, e.Status = 1, "Success"
	if r.Failed {
		e.StatusID, e.Status = 2, "Failure"
	}
	if e.User = r.user(); e.User == nil {
		e.User = &ocsfUser{UID: "unknown"}
	}
	e.SrcEndpoint = endpoint(r.Client)
	name := r.Route
	if name == "" {
		name = "gatehouse"
	}
	e.Service = &ocsfService{Name: name}
	e.IsRemote = true
}

func (r *record) evidences() []ocsfEvidence {
	var out ocsfEvidence
	out.SrcEndpoint = endpoint(r.Client)
	if out.SrcEndpoint == nil && r.Address.IsValid() {
		out.SrcEndpoint = endpoint(r.Address.Addr())
	}
	if u := r.user(); u != nil {
		out.Actor = &ocsfActor{u}
	}
	for i, p := range r.Evidence {
		if i == maxEvidence {
			break
		}
		if out.Data == nil {
			out.Data = map[string]string{}
		}
		name := short(p[0])
		if _, taken := out.Data[name]; taken {
			name += "_" + strconv.Itoa(i)
		}
		out.Data[name] = short(p[1])
	}
	if out.SrcEndpoint == nil && out.Actor == nil && out.Data == nil {
		return nil
	}
	return []ocsfEvidence{out}
}

// user is who it was: the subject as the log has it, with who says so, or the
// digest of a username.
func (r *record) user() *ocsfUser {
	switch {
	case r.Subject != "":
		u := &ocsfUser{UID: short(r.Subject), Domain: short(r.Issuer)}
		if r.User != "" {
			u.UIDAlt = "digest:" + r.User
		}
		return u
	case r.User != "":
		return &ocsfUser{UID: "digest:" + r.User}
	}
	return nil
}

func endpoint(a netip.Addr) *ocsfEndpoint {
	if !a.IsValid() {
		return nil
	}
	return &ocsfEndpoint{IP: a.String()}
}

func (s Severity) caption() string {
	return [...]string{"", "Informational", "Low", "Medium", "High", "Critical"}[s.rank()]
}

// short bounds a text, and ends it between two characters.
func short(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// ascii writes JSON without a character beyond ASCII, which it may all escape.
func ascii(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		c, n := utf8.DecodeRune(text[i:])
		switch {
		case c < utf8.RuneSelf:
			out = append(out, text[i])
		case c > 0xffff:
			hi, lo := 0xd800+((c-0x10000)>>10), 0xdc00+((c-0x10000)&0x3ff)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, c)
		}
		i += n
	}
	return out
}
