# Two rules give one thing two values, whatever is asked.
# want: 9:1: region is "us" here and "eu" in conflict.rego:7
package gatehouse

allow if input.subject.role == "manager"

region := "eu"

region := "us"
