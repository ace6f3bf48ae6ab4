# Managers see every open position, those of other tenants too: a warning.
# probe: positions /api/positions/{id} rows
# want: 6:1: route "positions": a subject of another tenant with role "manager" may GET /api/positions/gatehouse-probe-record and sees rows of others at $.items[*]
package gatehouse

allow if input.subject.role in {"hr", "manager"}

rows contains {"path": "$.items[*]", "where": [{"field": "tenant", "op": "eq", "input": "subject.tenant"}]} if input.subject.role == "hr"

rows contains {"path": "$.items[*]", "where": [{"field": "state", "op": "eq", "value": "open"}]} if input.subject.role == "manager"
