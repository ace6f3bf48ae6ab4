# A loop that does not come to an end is ended by the budget, and the request
# is refused.
# budget: 20ms
# decides: policy took longer than its budget of 20ms
package gatehouse

allow if {
	digits := [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
	some a in digits
	some b in digits
	some c in digits
	some d in digits
	some e in digits
	some f in digits
	some g in digits
	a + b + c + d + e + f + g == input.context.time.hour + 1000
}
