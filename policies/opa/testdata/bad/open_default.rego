# A default that lets in everybody no rule speaks of.
# want: 6:1: the default of allow is false
# want: 10:1: the default of all_fields is false
package gatehouse

default allow := true

allow := false if input.subject.role == "guest"

default all_fields := true
