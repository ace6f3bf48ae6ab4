# Nothing that allows. (allow without a default is fine: undefined refuses.)
# want: no rule allow stands in package gatehouse: nothing could ever be allowed
package gatehouse

all_rows if input.subject.role == "hr"
