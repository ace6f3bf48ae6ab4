# A decision depends on nothing but the question and the data.
# want: 6:10: http.send is not available
# want: 8:13: time.now_ns is not available
package gatehouse

allow if http.send({"method": "GET", "url": "https://directory.example.com/"}).status_code == 200

all_rows if time.now_ns() > 0
