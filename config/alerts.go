package config

// Alerts says who is told of what the guard has noticed, by one event each in
// the words of OCSF 1.8. Without any sink, findings go to the log. No request
// waits for any of them.
type Alerts struct {
	// Dedup is for how long findings of one detector about one target are one
	// alert. What was held back meanwhile is told in one event when it is over.
	// A graver finding, or one that begins a block, is told at once. Default: 15m.
	Dedup Duration `yaml:"dedup" is:"positive"`
	// Spool is where events wait for sinks that do not take them.
	Spool AlertSpool `yaml:"spool"`
	// Log writes events to the gateway's log, by name.
	Log map[string]*AlertLog `yaml:"log"`
	// Webhook posts events as JSON, signed, by name.
	Webhook map[string]*AlertWebhook `yaml:"webhook"`
	// Slack posts events as a line of text to Slack or what takes the same, by
	// name.
	Slack map[string]*AlertSlack `yaml:"slack"`
	// Syslog sends events to syslog servers (RFC 5424 over TLS, RFC 5425), by name.
	Syslog map[string]*AlertSyslog `yaml:"syslog"`
}

// AlertSpool keeps events that are not delivered yet. They are delivered once at
// least: a sink may see one twice, with the same metadata.uid.
type AlertSpool struct {
	// Folder for them, which belongs to one process. Default: alerts in
	// store.folder; without that they are kept in memory, and a restart forgets them.
	Folder string `yaml:"folder" is:"folder"`
	// Bytes that may wait for each sink. What is oldest goes when there is no room,
	// and the next event says how many went. Default: 64MiB.
	Bytes Size `yaml:"bytes" is:"positive"`
	// Keep is for how long delivery is tried. Default: 72h.
	Keep Duration `yaml:"keep" is:"positive"`
}

// AlertLog is the gateway's log as a sink. The events stand there whatever
// log.level says.
type AlertLog struct {
	// MinSeverity is the least that is told. Default: informational.
	MinSeverity string `yaml:"min_severity" oneof:"informational low medium high critical"`
	// Classes that are told: finding (a detector's threshold was met) and
	// authentication (every login on routes with login). Default: finding.
	Classes []string `yaml:"classes" oneof:"finding authentication"`
}

// AlertWebhook is a receiver of events by HTTP POST, one event each, signed as the
// Standard Webhooks specification has it: webhook-id, webhook-timestamp and
// webhook-signature. Anything but a 2xx is tried again; redirects are not followed,
// and no proxy of the environment is used.
type AlertWebhook struct {
	// URL to post to: https, or http on loopback or with `insecure`. Required.
	URL Secret `yaml:"url" is:"required"`
	// Secret that signs: whsec_ and 24 to 64 random bytes in base64. Required.
	Secret Secret `yaml:"secret" is:"required"`
	// OldSecret signs as well, while receivers change over. Default: none.
	OldSecret Secret `yaml:"old_secret"`
	// CA is a PEM file with the authorities that vouch for the receiver. Default:
	// the system's.
	CA string `yaml:"ca" is:"file"`
	// Insecure allows plain http beyond loopback.
	Insecure bool `yaml:"insecure"`
	// Timeout of one attempt. Default: 10s.
	Timeout Duration `yaml:"timeout" is:"positive"`
	// MinSeverity is the least that is told. Default: informational.
	MinSeverity string `yaml:"min_severity" oneof:"informational low medium high critical"`
	// Classes that are told: finding (a detector's threshold was met) and
	// authentication (every login on routes with login). Default: finding.
	Classes []string `yaml:"classes" oneof:"finding authentication"`
}

// AlertSlack is an incoming webhook of Slack, or of what takes the same
// {"text": …}.
type AlertSlack struct {
	// URL to post to, which is a secret: whoever knows it can write there. https,
	// or http on loopback or with `insecure`. Required.
	URL Secret `yaml:"url" is:"required"`
	// CA is a PEM file with the authorities that vouch for the receiver. Default:
	// the system's.
	CA string `yaml:"ca" is:"file"`
	// Insecure allows plain http beyond loopback.
	Insecure bool `yaml:"insecure"`
	// Timeout of one attempt. Default: 10s.
	Timeout Duration `yaml:"timeout" is:"positive"`
	// MinSeverity is the least that is told. Default: informational.
	MinSeverity string `yaml:"min_severity" oneof:"informational low medium high critical"`
	// Classes that are told: finding (a detector's threshold was met) and
	// authentication (every login on routes with login). Default: finding.
	Classes []string `yaml:"classes" oneof:"finding authentication"`
}

// AlertSyslog is a syslog server. The event is the message, as JSON; there is no
// structured data. Syslog has no acknowledgement: what a server took and did not
// keep is not sent again.
type AlertSyslog struct {
	// Address as host:port; the port of syslog over TLS is 6514. Required.
	Address string `yaml:"address" is:"required"`
	// Plain sends over TCP without TLS. Only on loopback or with `insecure`.
	// Default: false.
	Plain bool `yaml:"plain"`
	// Insecure allows plain TCP beyond loopback.
	Insecure bool `yaml:"insecure"`
	// CA is a PEM file with the authorities that vouch for the server. Default: the
	// system's.
	CA string `yaml:"ca" is:"file"`
	// ServerName is the name that the server's certificate must carry. Default: the
	// host of the address.
	ServerName string `yaml:"server_name"`
	// ClientCertificate is what the gateway shows (mutual TLS). Default: none.
	ClientCertificate *KeyPair `yaml:"client_certificate"`
	// Facility of the messages (RFC 5424, section 6.2.1). Default: authpriv.
	Facility string `yaml:"facility" oneof:"auth authpriv audit alert local0 local1 local2 local3 local4 local5 local6 local7"`
	// Hostname that messages name. Default: the machine's name.
	Hostname string `yaml:"hostname"`
	// Timeout of one attempt. Default: 10s.
	Timeout Duration `yaml:"timeout" is:"positive"`
	// MinSeverity is the least that is told. Default: informational.
	MinSeverity string `yaml:"min_severity" oneof:"informational low medium high critical"`
	// Classes that are told: finding (a detector's threshold was met) and
	// authentication (every login on routes with login). Default: finding.
	Classes []string `yaml:"classes" oneof:"finding authentication"`
}
