# METADATA
# title: What else the gateway has to see to
package obligations

import data.question

# METADATA
# title: Some routes ask for a second factor, lately given
# labels: {id: STEP-10}
require contains entry if some entry in [question.route.step_up]

# METADATA
# title: Sensitive routes, and who sees across tenants, are on record in detail
# labels: {id: AUDIT-10}
audit := "detail" if {
	data.rows.everything
} else := question.route.audit
