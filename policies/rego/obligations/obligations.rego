# METADATA
# title: What else the gateway has to see to
package obligations

import data.masking
import data.question
import data.stepup

# METADATA
# title: Some routes ask for a second factor, lately given
# description: Of everybody, of service accounts too. They have none, so these routes are shut to them.
# labels: {id: STEP-10}
require contains entry if some entry in [question.route.step_up]

# METADATA
# title: A filter or an order over fields that a second factor would open
# labels: {id: STEP-12}
require contains stepup.demand if {
	question.selects
	masking.may_see_everything
	not masking.sees_everything
}

# METADATA
# title: Sensitive routes, and who sees across tenants, are on record in detail
# labels: {id: AUDIT-10}
audit := "detail" if {
	data.rows.everything
} else := question.route.audit
