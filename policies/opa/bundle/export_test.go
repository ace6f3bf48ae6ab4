package bundle

// BuildRevision is Build with a revision that may be no serial number.
var BuildRevision = buildRevision
