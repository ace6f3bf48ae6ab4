# Two rules that wait for each other.
# want: 6:1: rule data.gatehouse.allow is recursive: data.gatehouse.allow -> data.gatehouse.all_rows
# want: 8:1: rule data.gatehouse.all_rows is recursive
package gatehouse

allow if all_rows

all_rows if allow
