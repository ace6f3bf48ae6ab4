# METADATA
# title: The decision
# description: >-
#   The only package that the gateway reads. Every rule here is a sentence that
#   points to the package which knows the answer; the facts (roles, permissions,
#   fields, routes) are data under company/.
package gatehouse

import data.authz
import data.masking
import data.obligations
import data.question

# METADATA
# title: Nothing is allowed unless the permission table grants it
# labels: {id: AUTHZ-1}
default allow := false

allow if authz.allow

# METADATA
# title: Every objection refuses, whatever is granted
# labels: {id: AUTHZ-2}
deny contains objection if some objection in authz.deny

# METADATA
# title: Fields that the caller does not see are masked
# labels: {id: MASK-1}
mask contains entry if some entry in masking.mask

# METADATA
# title: Outsiders see an allow list of fields
# labels: {id: MASK-2}
expose contains path if some path in masking.expose

# METADATA
# title: The caller sees every field
# labels: {id: MASK-3}
all_fields if masking.all_fields

# METADATA
# title: Fields that have been thought of
# labels: {id: MASK-4}
classified contains path if some path in masking.classified

# METADATA
# title: Records of other tenants, branches and people are removed
# labels: {id: ROWS-1}
rows contains entry if some entry in data.rows.entries

# METADATA
# title: The caller sees every record
# labels: {id: ROWS-2}
all_rows if data.rows.everything

# METADATA
# title: Members of the body that the caller may not write
# labels: {id: WRITE-1}
protect contains entry if some entry in data.protect.entries

# METADATA
# title: How the caller must have authenticated
# labels: {id: STEP-1}
require contains entry if some entry in obligations.require

# METADATA
# title: Who asks, told to the upstream
# description: Names are literals, so that the gateway can remove them from what clients send.
# labels: {id: HEAD-1}
headers["X-User-ID"] := {"input": "subject.id"} if question.identified

# METADATA
# title: The tenant of who asks, told to the upstream
# labels: {id: HEAD-2}
headers["X-Tenant-ID"] := {"input": "subject.tenant"} if question.has_tenant

# METADATA
# title: What is sensitive is on record in detail
# labels: {id: AUDIT-1}
audit := obligations.audit
